from __future__ import annotations

import gc
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lm_eval.utils import handle_non_serializable

from runners.child import fastpath
from tests.runners.child import tiny

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.text() | st.integers() | st.booleans() | st.none()
VALUES = st.recursive(SCALARS, lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(KEYS, deeper, max_size=4))


@given(VALUES)
def test_indented_json_is_that_of_the_standard_library(value: Any) -> None:
    wanted = json.dumps(value, indent=2, default=handle_non_serializable, ensure_ascii=False)
    assert fastpath.indented(value, handle_non_serializable) == wanted


def test_values_that_json_does_not_know_go_through_the_default() -> None:
    import numpy as np

    value = {"a": np.int64(3), "b": {1}, "c": [np.float64(0.1), {2}], "d": object, "e": (1, 2)}
    wanted = json.dumps(value, indent=2, default=handle_non_serializable, ensure_ascii=False)
    assert fastpath.indented(value, handle_non_serializable) == wanted


def test_each_document_is_rendered_once_and_nobody_can_change_what_is_remembered() -> None:
    task = tiny.load(tiny.spec("likelihood", 3)).task
    rendered = []
    render = task.doc_to_choice
    task.doc_to_choice = lambda doc: rendered.append(doc["item_id"]) or render(doc)
    fastpath.prepare(task)
    docs = list(task.eval_docs)
    first = task.doc_to_choice(docs[0])
    first.append("changed")
    assert task.doc_to_choice(docs[0]) == first[:-1]
    assert rendered == ["q0"]


def test_a_document_of_somebody_else_is_rendered_each_time() -> None:
    task = tiny.load(tiny.spec("generate", 3)).task
    fastpath.prepare(task)
    doc = {**tiny.documents(1)[0], "gold": 2}
    assert task.doc_to_target(doc) == "C"
    doc["gold"] = 3
    assert task.doc_to_target(doc) == "D"


def test_garbage_collection_is_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with fastpath.rare_collections():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
