"""Stored answers scored anew: the same where nothing has changed, otherwise where the extractor has, nobody asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.test import Client
from django.utils import timezone

from leaderboard import proof
from runners import catalog, extraction, record, resolving, runs, supervise
from runners.extraction import NothingToExtract
from runners.models import Benchmark, EvaluationRun, ModelRevision, Suite, SuiteTask, Task
from tests import factories
from tests.fake_openai import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = ("task__name", "value", "stderr", "n_docs", "n_scored", "n_failed", "n_no_answer", "n_truncated", "metrics")


@pytest.fixture(autouse=True)
def shipped(settings: Any) -> None:
    settings.BEAT_SECONDS = 0.2
    catalog.synchronise()
    catalog.register_reference_players()


def asked(player: str = "reference/ngram", **run_settings: Any) -> EvaluationRun:
    """A finished run of the shipped suite."""
    revision, suite = ModelRevision.objects.get(slug=player), Suite.objects.get(slug="ko-basic", retired_at=None)
    return done(runs.request(revision, suite, run_settings={"limit": 4, **run_settings}))


def done(run: EvaluationRun) -> EvaluationRun:
    assert supervise.execute(run.pk, worker="test")
    run.refresh_from_db()
    assert run.status == "finished", run.error_text
    return run


def extracted(run: EvaluationRun, **options: Any) -> EvaluationRun:
    return extraction.request(run, by="chief", reason="a new extractor", **options)


def numbers(run: EvaluationRun) -> list[dict[str, Any]]:
    return list(run.results.order_by("task__name").values(*COLUMNS))


def older_version(run: EvaluationRun, spoil: Any) -> EvaluationRun:
    """The same answers in a run on an older version of the suite, whose extractor read them as `spoil` says."""
    suite = run.suite
    Suite.objects.filter(pk=suite.pk).update(version=2)
    old = factories.make_suite(suite.slug, [], version=1, retired_at=timezone.now())
    before = factories.make_run(run.revision, old, "finished", settings=run.settings, environment=run.environment)
    for place in SuiteTask.objects.filter(suite=suite).select_related("task"):
        now, result = place.task, run.results.get(task=place.task)
        fields = {
            name: getattr(now, name) for name in ("benchmark", "name", "mode", "metric", "asked_sha", "num_fewshot")
        }
        task = Task.objects.create(**fields, config_sha="0" * 64, dataset_source="bundled", dataset_name="ko-basic")
        SuiteTask.objects.create(suite=old, task=task, order=place.order)
        samples = [spoil(record.full_sample(sample)) for sample in result.samples.order_by("doc_id")]
        factories.make_result(
            before, task, samples=samples, dataset_fingerprint=result.dataset_fingerprint, task_hash=result.task_hash
        )
    return before


def test_the_same_extractor_gives_the_same_numbers_and_the_same_samples() -> None:
    run = asked()
    again = done(extracted(run))
    assert numbers(again) == numbers(run)
    assert proof.prove(again, run).verdict == "identical"
    for result in run.results.all():
        twin = again.results.get(task=result.task)
        assert twin.task_hash == result.task_hash
        for one, other in zip(result.samples.order_by("doc_id"), twin.samples.order_by("doc_id"), strict=True):
            mine, theirs = record.full_sample(one), record.full_sample(other)
            assert theirs == dataclasses.replace(mine, prompt_tokens=None, completion_tokens=None)
    assert (again.rerun_of, again.answers_of, again.requested_by) == (run, run.pk, "chief")
    assert not Path(again.workdir).exists()


def test_another_extractor_gives_other_numbers_and_the_flips_are_told() -> None:
    run = asked("reference/constant")

    def missed(sample: Any) -> Any:
        """As an extractor that found nothing in the first two replies of each task."""
        if sample.logprobs is not None or sample.doc_id > 1:
            return sample
        return dataclasses.replace(sample, status="no_answer", extracted=None, correct=0.0, metrics={"acc": 0.0})

    before = older_version(run, missed)
    again = done(extracted(before))
    assert (again.suite, again.answers_of) == (run.suite, before.pk)
    assert [row["value"] for row in numbers(again)] == [row["value"] for row in numbers(run)]
    found = proof.prove(again, before)
    right = sum(
        s.correct == 1.0 for r in run.results.filter(task__mode="generate") for s in r.samples.filter(doc_id__lt=2)
    )
    assert found.n_flips == right > 0
    assert found.verdict in ("within", "different")
    assert {"ko-basic v1", "ko-basic v2"} <= {change.other or "" for change in found.changes} | {
        change.run or "" for change in found.changes
    }
    assert sum(row["n_no_answer"] for row in before.results.values("n_no_answer")) == 12
    assert sum(row["n_no_answer"] for row in numbers(again)) < 12


def test_nobody_is_asked_and_nothing_is_paid() -> None:
    with FakeOpenAI() as server:
        catalog.register_endpoint("served", base_url=server.base_url, served_name="m")
        run = asked("api/served")
        calls = len(server.calls)
        again = done(extracted(run))
        assert len(server.calls) == calls > 0
    assert numbers(again) == numbers(run)
    assert {row["completion_tokens"] for row in again.results.values("completion_tokens")} == {None}
    assert again.environment["engine"] == f"stored answers of run {run.pk}"
    assert again.environment["served_name"] == "m"
    assert "base_url" not in again.environment


def test_a_model_of_a_gpu_is_scored_anew_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from runners import fetching

    run = asked()
    ModelRevision.objects.filter(pk=run.revision_id).update(backend="hf", hub_id="a/b", commit_sha="1" * 40)
    run = EvaluationRun.objects.get(pk=run.pk)
    monkeypatch.setattr(fetching, "fetch", lambda *_: pytest.fail("a model was fetched"))
    assert run.revision.lane == "gpu"
    again = extracted(run)
    assert again.lane == "eval"
    assert numbers(done(again)) == numbers(run)


def test_requests_that_failed_then_are_failed_still() -> None:
    run = asked("reference/constant")

    def failed(sample: Any) -> Any:
        nothing = {"status": "error", "extracted": None, "correct": None, "metrics": {}, "reply": "", "logprobs": None}
        return dataclasses.replace(sample, **nothing, error="endpoint_slow") if sample.doc_id == 0 else sample

    before = older_version(run, failed)
    again = done(extracted(before))
    assert {(row["n_failed"], row["n_scored"]) for row in numbers(again)} == {(1, 3)}
    sample = again.results.filter(task__mode="generate").first().samples.get(doc_id=0)
    assert record.full_sample(sample).error == "endpoint_slow"


def test_answers_of_answers_are_those_of_the_run_that_was_asked() -> None:
    run = factories.make_finished_run()
    first = extracted(run)
    EvaluationRun.objects.filter(pk=first.pk).update(status="finished")
    second = extraction.request(EvaluationRun.objects.get(pk=first.pk), by="x", reason="x")
    assert (second.rerun_of, second.answers_of) == (first, run.pk)
    with pytest.raises(runs.AlreadyActive):
        extracted(run)


def test_answers_whose_file_is_gone_or_damaged_are_refused() -> None:
    gone = factories.make_finished_run()
    default_storage.delete(gone.artifacts.get().path)
    with pytest.raises(NothingToExtract, match=r"gone. Repeat it instead|저장된 답"):
        extracted(gone)
    never = factories.make_finished_run()
    never.artifacts.all().delete()
    with pytest.raises(NothingToExtract, match=never.suite.tasks.get().name):
        extracted(never)
    run = asked()
    again = extracted(run)
    run.artifacts.update(sha256="0" * 64)
    supervise.execute(again.pk, worker="test")
    again.refresh_from_db()
    assert (again.status, again.error_kind) == ("failed", "no_answers")
    assert "damaged" in again.error_text


def test_what_cannot_be_extracted_is_refused_with_what_to_do_instead(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    likelihood = factories.make_finished_run(suite=factories.make_suite(tasks=[factories.make_task(mode="likelihood")]))
    with pytest.raises(NothingToExtract, match="scored by likelihood"):
        extracted(likelihood)
    judged = factories.make_run(suite=factories.make_suite(kind="multi_turn"), status="finished")
    with pytest.raises(NothingToExtract, match="Judge it again instead"):
        extracted(judged)
    with pytest.raises(NothingToExtract, match="Only a finished run"):
        extracted(factories.make_run(status="failed"))
    other = factories.make_suite("else")
    with pytest.raises(NothingToExtract, match="another version of the same suite"):
        extracted(factories.make_finished_run(), suite=other)


def test_a_version_that_asks_otherwise_is_refused_by_name(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    before = factories.make_task("t_gen", asked_sha="a" * 64)
    for now in (factories.make_task("t_gen", asked_sha="b" * 64), factories.make_task("t_gen")):
        run = factories.make_finished_run(suite=factories.make_suite(tasks=[before]))
        new = factories.make_suite(run.suite.slug, [now], version=2)
        with pytest.raises(NothingToExtract, match=r"put otherwise now.*t_gen"):
            extracted(run, suite=new)


def test_an_item_that_was_asked_in_other_words_ends_the_run_by_its_number_alone() -> None:
    run = asked()

    def otherwise(sample: Any) -> Any:
        return dataclasses.replace(sample, prompt="비밀 문제") if sample.doc_id == 2 else sample

    again = extracted(older_version(run, otherwise))
    supervise.execute(again.pk, worker="test")
    again.refresh_from_db()
    assert (again.status, again.error_kind) == ("failed", "other_question")
    assert "Item 2 of ko_basic_" in again.error_text
    assert "비밀" not in again.error_text


def test_a_private_set_stays_private(client: Client) -> None:
    run = asked()
    Benchmark.objects.update(is_private=True)
    again = done(extracted(run))
    assert numbers(again) == numbers(run)
    task = "ko_basic_grammar_gen"
    item = record.full_sample(again.results.get(task__name=task).samples.first())
    question = item.prompt.split("문제: ")[1][:20]
    for place in ("", "proof/", "samples/", f"samples/{task}/", f"samples/{task}/0/"):
        page = client.get(f"/ko/runs/{again.pk}/{place}", follow=True).content.decode()
        assert question not in page
        assert "jsonl" not in page


def test_what_is_asked_has_a_hash_of_its_own() -> None:
    task = Task.objects.get(name="ko_basic_grammar_gen")
    assert task.asked_sha == resolving.asked_sha("ko_basic_grammar_gen") != task.config_sha
    with transaction.atomic():
        Task.objects.filter(pk=task.pk).update(config_sha="1" * 64, asked_sha="")
        extraction.note_questions()
        task.refresh_from_db()
        assert task.asked_sha == ""
