from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runners import resolving
from runners.definitions import SUITES, DefinitionError, hub_id_of, load_suite, load_suites

SLUGS = ["ko-basic", "kobest", "click", "haerae", "kmmlu", "kmmlu-hard", "kormedmcqa", "hrm8k", "horangi", "ko-h5"]


def changed(tmp_path: Path, name: str, **keys: object) -> Path:
    path = tmp_path / f"{name}.yaml"
    raw = yaml.safe_load((SUITES / path.name).read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**raw, **keys}, allow_unicode=True), encoding="utf-8")
    return path


def test_every_promised_suite_is_there_in_its_order() -> None:
    assert [suite.slug for suite in load_suites()] == SLUGS


def test_every_task_file_belongs_to_a_suite_and_is_asked_for_by_its_name() -> None:
    used = {task.name for suite in load_suites() for task in suite.tasks}
    assert used == {path.stem for path in resolving.TASKS.glob("*/*.yaml")}


def test_likelihood_and_generation_of_a_set_share_their_items() -> None:
    for suite in load_suites():
        if {"generate", "likelihood"} <= {task.mode for task in suite.tasks}:
            by_mode = {m: [t.items for t in suite.tasks if t.mode == m] for m in ("generate", "likelihood")}
            assert by_mode["generate"] == by_mode["likelihood"], suite.slug


def test_a_task_that_stands_in_two_suites_is_the_same_task() -> None:
    tasks: dict[str, tuple[object, ...]] = {}
    for suite in load_suites():
        for task in suite.tasks:
            frozen = (
                task.config_sha,
                task.num_fewshot,
                task.metric,
                task.chance,
                task.n_docs,
                task.size,
                task.dataset,
                task.hub_id,
            )
            assert tasks.setdefault(task.name, frozen) == frozen


def test_zero_shot_is_the_default_and_only_ko_h5_is_private() -> None:
    assert {task.num_fewshot for suite in load_suites() for task in suite.tasks} == {0}
    assert [suite.slug for suite in load_suites() if any(task.private for task in suite.tasks)] == ["ko-h5"]


def test_a_headline_counts_the_tasks_of_one_mode() -> None:
    for suite in load_suites():
        assert len({task.mode for task in suite.tasks if task.in_headline}) == 1


def test_chance_and_size_of_a_bundled_task_come_from_its_file() -> None:
    tasks = {task.name: task for task in load_suites()[0].tasks}
    likelihood, generation = tasks["ko_basic_instructions"], tasks["ko_basic_instructions_gen"]
    assert likelihood.n_docs == generation.n_docs
    assert likelihood.chance is not None
    assert generation.chance is not None
    assert 0.2 <= likelihood.chance <= 0.5
    assert generation.chance < likelihood.chance


def test_a_release_on_the_hub_is_found_by_its_folder() -> None:
    assert hub_id_of("kobest") == "skt/kobest_v1"
    with pytest.raises(DefinitionError, match="GYEORU_DATASETS"):
        hub_id_of("ko-h5")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"colour": "red"}, r"unknown keys \['colour'\]"),
        ({"title": {"ko": "코베스트"}}, "title needs a Korean and an English text"),
        ({"title": {"ko": "코베스트", "en": " "}}, "title needs a Korean and an English text"),
        ({"slug": "kobset"}, "make them equal"),
        ({"dataset": "click"}, "reads 'kobest'"),
        ({"modes": ["guess"]}, r"unknown modes \['guess'\]"),
        ({"modes": ["likelihood"]}, "headline_mode"),
        ({"items": [{"name": "kobest_rte", "title": {"ko": "가", "en": "a"}, "category": "x"}]}, "No task 'kobest_rte"),
        ({"items": [{"name": "kobest_wic", "category": "x"}]}, r"the keys \['title'\] are missing"),
    ],
)
def test_a_suite_that_is_wrong_says_what_to_mend(tmp_path: Path, keys: dict[str, object], said: str) -> None:
    path = changed(tmp_path, "kobest", **keys)
    with pytest.raises(DefinitionError, match=said) as caught:
        load_suite(path)
    assert str(path) in str(caught.value) or "below" in str(caught.value)


def test_an_unchanged_suite_keeps_its_hash_and_a_changed_text_changes_it(tmp_path: Path) -> None:
    shipped = next(suite for suite in load_suites() if suite.slug == "kobest")
    assert load_suite(changed(tmp_path, "kobest")).sha == shipped.sha
    assert load_suite(changed(tmp_path, "kobest", licence="other")).sha != shipped.sha


def test_a_size_that_became_known_later_leaves_the_hash_as_it_was(tmp_path: Path) -> None:
    items = yaml.safe_load((SUITES / "click.yaml").read_text(encoding="utf-8"))["items"]
    unknown = [{key: value for key, value in item.items() if key != "size"} for item in items]
    shipped = next(suite for suite in load_suites() if suite.slug == "click")
    before = load_suite(changed(tmp_path, "click", items=unknown))
    assert before.sha == shipped.sha
    assert {task.size for task in before.tasks} == {None}


@pytest.mark.parametrize(("slug", "total"), [("click", 1995), ("kmmlu", 35_030), ("kmmlu-hard", 4104)])
def test_the_sizes_of_a_suite_add_up_to_what_its_authors_published(slug: str, total: int) -> None:
    suite = next(suite for suite in load_suites() if suite.slug == slug)
    for mode in ("generate", "likelihood"):
        assert sum(task.size or 0 for task in suite.tasks if task.mode == mode) == total


def test_only_private_sets_are_of_unknown_size() -> None:
    unknown = {task.dataset for suite in load_suites() for task in suite.tasks if task.size is None}
    assert unknown == {"ko-h5"}


def test_the_hash_follows_prompt_rows_scoring_and_extractor() -> None:
    text = resolving._source("runners.child.scoring.Choice")
    assert "def extract_choice(" in text
    assert "def apply(" in text
    assert "def truth(" in resolving._source("runners.child.sets.kobest.parts")
    assert "def listing(" in resolving._source("runners.child.prompts.ask_choice")
    assert "load_dataset" not in resolving._source("runners.child.sets.kobest.parts")


def test_two_modes_of_one_set_have_two_hashes() -> None:
    shas = [resolving.config_sha(path.stem) for path in resolving.TASKS.glob("*/*.yaml")]
    assert len(set(shas)) == len(shas)


def test_the_catalogue_needs_neither_lm_eval_nor_django() -> None:
    loads = "import sys, runners.definitions as d; d.load_suites()"
    code = f"{loads}; print({{'lm_eval', 'django', 'numpy'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SUITES.parents[1]
    )
    assert done.stdout.strip() == "set()"
