"""lm-eval's own output becomes a run, or is refused whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard import boards
from leaderboard.ranking import item_scores
from runners import catalog, record
from runners.harness_files import Problem
from runners.importing import ImportRefused, import_harness
from runners.models import EvaluationRun, ModelRevision, Sample, Suite, TaskResult
from tests import factories
from tests.runners.harness_output import ko_basic, write_output

pytestmark = pytest.mark.django_db
GENERATION, LIKELIHOOD = "ko_basic_language_gen", "ko_basic_language"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real output folder of both modes, whole sets."""
    folder = tmp_path_factory.mktemp("lm-eval")
    write_output(folder, [GENERATION, LIKELIHOOD])
    return folder


@pytest.fixture
def output(real: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(real, tmp_path / "output"))


@pytest.fixture
def suite() -> Suite:
    catalog._publish(ko_basic())
    return Suite.objects.get(slug="ko-basic")


@pytest.fixture
def revision() -> ModelRevision:
    return factories.make_revision("maker/model")


def results_of(folder: Path) -> Path:
    return next(folder.rglob("results_*.json"))


def samples_of(folder: Path, task: str = GENERATION) -> Path:
    return next(path for path in folder.rglob(f"samples_{task}_2*.jsonl"))


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    raw = json.loads(path.read_text())
    edit(raw)
    path.write_text(json.dumps(raw))


def refused(folder: Path, revision: ModelRevision, suite: Suite) -> list[str]:
    """The problems of an import that leaves nothing behind."""
    with pytest.raises(ImportRefused) as error:
        import_harness(folder, revision, suite)
    assert not EvaluationRun.objects.filter(is_imported=True).exists()
    assert not TaskResult.objects.exists()
    return [str(problem) for problem in error.value.problems]


def test_a_real_output_folder_becomes_a_finished_run(output: Path, revision: ModelRevision, suite: Suite) -> None:
    told = json.loads(results_of(output).read_text())["results"]
    done = import_harness(output, revision, suite)
    assert (done.run.status, done.run.is_imported, done.tasks) == ("finished", True, [GENERATION, LIKELIHOOD])
    assert done.notes == [f"2 of the 12 tasks of {suite} are here."]
    for result in done.run.results.select_related("task"):
        key = "extracted" if result.task.name == GENERATION else "none"
        row = told[result.task.name]
        assert (result.value, result.stderr) == (row[f"acc,{key}"], row[f"acc_stderr,{key}"])
        assert (result.n_docs, result.n_scored, result.n_failed) == (row["sample_len"], row["sample_len"], 0)
        assert result.seconds is None
        assert len(result.task_hash) == 64
        assert item_scores([result.pk])[result.pk].mean() == pytest.approx(result.value)
    environment = done.run.environment
    assert (environment["model_name"], environment["random_seed"]) == ("maker/model", 0)
    assert environment["versions"] == {"lm_eval": version("lm_eval")}
    assert (done.run.progress_done, done.run.progress_total) == (94, 94)
    assert done.run.started_at is not None
    assert abs((timezone.now() - done.run.started_at).total_seconds()) < 600
    revision.refresh_from_db()
    assert revision.frozen_at is not None


def test_every_item_opens_with_its_prompt_and_reply(output: Path, revision: ModelRevision, suite: Suite) -> None:
    run = import_harness(output, revision, suite).run
    line = json.loads(samples_of(output).read_text().splitlines()[0])
    sample = Sample.objects.select_related("result__artifact").get(result__task__name=GENERATION, doc_id=0)
    whole = record.full_sample(sample)
    assert whole.prompt == line["arguments"]["gen_args_0"]["arg_0"]
    assert (whole.reply, whole.extracted, whole.item_id) == ("정답: A", "A", "language-001")
    assert sample.doc_hash == line["doc_hash"]
    unread = run.results.get(task__name=GENERATION)
    assert unread.n_no_answer == Sample.objects.filter(result=unread, status="no_answer").count() > 0
    likely = record.full_sample(Sample.objects.get(result__task__name=LIKELIHOOD, doc_id=0))
    assert likely.choices == line["doc"]["options"]
    assert likely.logprobs is not None
    assert likely.reply == likely.choices[likely.logprobs.index(max(likely.logprobs))]
    assert likely.target == line["doc"]["options"][line["doc"]["gold"]]


def test_an_imported_run_stands_on_the_board_marked(output: Path, revision: ModelRevision, suite: Suite) -> None:
    import_harness(output, revision, suite)
    row = boards.build(suite).rows[0]
    assert (row.is_imported, row.n_present, row.average) == (True, 1, None)


def test_one_results_file_is_enough(output: Path, revision: ModelRevision, suite: Suite) -> None:
    done = import_harness(results_of(output), revision, suite)
    assert Sample.objects.filter(result__run=done.run).exists()


def test_results_without_samples_have_values_and_no_items(output: Path, revision: ModelRevision, suite: Suite) -> None:
    samples_of(output).unlink()
    done = import_harness(output, revision, suite)
    result = done.run.results.get(task__name=GENERATION)
    assert result.n_docs == result.n_scored == 47
    assert (result.item_scores, result.samples.count(), hasattr(result, "artifact")) == (None, 0, False)
    assert result.n_no_answer == round(result.metrics["no_answer"]["value"] * 47)
    assert any(GENERATION in note and "no samples file" in note for note in done.notes)


def test_runs_without_items_are_ranked_by_their_standard_errors(tmp_path: Path) -> None:
    names = [task.name for task in ko_basic().tasks if task.in_headline]
    catalog._publish(ko_basic())
    suite = Suite.objects.get(slug="ko-basic")
    path = write_output(tmp_path, names, samples=False)
    import_harness(path, factories.make_revision("maker/one"), suite)
    change(path, lambda raw: raw.update(date=1.0))
    import_harness(path, factories.make_revision("maker/two"), suite)
    assert [(row.rank_low, row.rank_high) for row in boards.build(suite).rows] == [(1, 2), (1, 2)]


def test_several_results_files_in_one_folder_are_one_run(tmp_path: Path, revision: ModelRevision, suite: Suite) -> None:
    for name in (GENERATION, LIKELIHOOD):
        write_output(tmp_path, [name], limit=4)
    done = import_harness(tmp_path, revision, suite)
    assert done.tasks == [GENERATION, LIKELIHOOD]
    assert len(done.run.environment["imported"]) == 2
    assert f"{GENERATION} was asked 4 of its 47 items." in done.notes


def test_a_task_in_two_files_is_refused(tmp_path: Path, revision: ModelRevision, suite: Suite) -> None:
    for _ in range(2):
        write_output(tmp_path, [GENERATION], limit=4)
    assert any("give the path of one of them" in problem for problem in refused(tmp_path, revision, suite))


def test_a_file_that_was_imported_names_its_run(output: Path, revision: ModelRevision, suite: Suite) -> None:
    run = import_harness(output, revision, suite).run
    with pytest.raises(ImportRefused, match=f"it is run {run.pk} of"):
        import_harness(output, factories.make_revision(), suite)
    assert EvaluationRun.objects.count() == 1


def test_a_results_file_cut_in_half_is_named_with_its_line(output: Path, revision: ModelRevision, suite: Suite) -> None:
    path = results_of(output)
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    (problem,) = refused(output, revision, suite)
    assert problem.startswith(f"{path}, line ")
    assert "cut off" in problem


def test_every_bad_line_of_the_samples_is_named(output: Path, revision: ModelRevision, suite: Suite) -> None:
    path = samples_of(output)
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:80]
    lines[5] = lines[4]
    lines[7] = json.dumps({**json.loads(lines[7]), "doc_id": "seven"})
    lines[9] = json.dumps({k: v for k, v in json.loads(lines[9]).items() if k != "resps"})
    path.write_text("\n".join(lines))
    problems = refused(output, revision, suite)
    told = {int(problem.split(", line ")[1].split(":")[0]): problem for problem in problems if ", line " in problem}
    assert set(told) == {3, 6, 8, 10}
    assert "cut off" in told[3]
    assert "doc_id 4 once more" in told[6]
    assert "'seven'" in told[8]
    assert "resps" in told[10]


def test_samples_cut_at_a_line_are_fewer_than_counted(output: Path, revision: ModelRevision, suite: Suite) -> None:
    path = samples_of(output)
    path.write_text("\n".join(path.read_text().splitlines()[:20]))
    problems = refused(output, revision, suite)
    assert f"{path}: has 20 items, the results file counts 47: copy the file again." in problems


def test_samples_of_another_run_are_refused(output: Path, revision: ModelRevision, suite: Suite) -> None:
    change(results_of(output), lambda raw: raw["results"][GENERATION].update({"acc,extracted": 0.9}))
    (problem,) = refused(output, revision, suite)
    assert "they are of two runs" in problem


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda raw: raw["n-shot"].update({GENERATION: 5}), "5 shots"),
        (lambda raw: raw["n-samples"][GENERATION].update(original=500), "another set"),
        (lambda raw: raw["configs"][GENERATION].update(output_type="multiple_choice"), "another task"),
        (lambda raw: raw["results"].update({"hellaswag": {"acc,none": 0.5}}), "hellaswag is no task of ko-basic v1"),
        (lambda raw: raw.update(config={"model_sha": "f" * 40}), "name the revision of that commit"),
        (lambda raw: raw.update(results={}), "not a results file"),
        (lambda raw: raw["results"].update({GENERATION: "gone"}), "has no metrics"),
    ],
)
def test_what_is_of_something_else_is_refused_by_name(
    edit: Callable[[dict[str, Any]], None], words: str, output: Path, revision: ModelRevision, suite: Suite
) -> None:
    change(results_of(output), edit)
    assert any(words in problem for problem in refused(output, revision, suite))


def test_another_definition_of_the_same_name_is_told(output: Path, revision: ModelRevision, suite: Suite) -> None:
    change(results_of(output), lambda raw: raw["configs"][GENERATION].update(dataset_kwargs=None))
    notes = import_harness(output, revision, suite).notes
    assert [note for note in notes if "another definition" in note] == [
        f"{GENERATION} was evaluated by another definition of that name; its prompts may differ."
    ]


def test_other_suites_tasks_can_be_left_out(output: Path, revision: ModelRevision, suite: Suite) -> None:
    change(results_of(output), lambda raw: raw["results"].update({"hellaswag": {"acc,none": 0.5}}))
    done = import_harness(output, revision, suite, skip_unknown=True)
    assert done.tasks == [GENERATION, LIKELIHOOD]
    assert any("hellaswag" in note for note in done.notes)


def test_groups_are_left_out_and_missing_errors_stay_missing(
    output: Path, revision: ModelRevision, suite: Suite
) -> None:
    def edit(raw: dict[str, Any]) -> None:
        raw["results"]["all"] = {"acc,none": 0.5}
        raw["group_subtasks"] = {"all": [GENERATION]}
        raw["results"][LIKELIHOOD]["acc_stderr,none"] = "N/A"
        samples_of(output, LIKELIHOOD).unlink()

    change(results_of(output), edit)
    done = import_harness(output, revision, suite)
    assert done.run.results.get(task__name=LIKELIHOOD).stderr is None


def test_an_error_that_was_not_worked_out_comes_from_the_samples(
    output: Path, tmp_path: Path, revision: ModelRevision, suite: Suite
) -> None:
    known = json.loads(results_of(output).read_text())["results"][LIKELIHOOD]["acc_stderr,none"]
    path = write_output(tmp_path / "again", [LIKELIHOOD], bootstrap=0)
    assert json.loads(path.read_text())["results"][LIKELIHOOD]["acc_stderr,none"] == "N/A"
    done = import_harness(path, revision, suite)
    assert done.run.results.get(task__name=LIKELIHOOD).stderr == pytest.approx(known, abs=1e-12)


def test_two_models_in_one_folder_are_refused(tmp_path: Path, revision: ModelRevision, suite: Suite) -> None:
    write_output(tmp_path, [GENERATION], limit=2, model="maker/one")
    write_output(tmp_path, [LIKELIHOOD], limit=2, model="maker/two")
    assert any("maker/one, maker/two" in problem for problem in refused(tmp_path, revision, suite))


def test_a_failure_while_writing_leaves_no_row_and_no_file(
    output: Path, revision: ModelRevision, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    keep = record.keep_file

    def full(run_id: int, path: Path) -> record.StoredFile:
        if kept:
            raise OSError(28, "No space left on device")
        stored = keep(run_id, path)
        kept.append(stored.name)
        return stored

    monkeypatch.setattr(record, "keep_file", full)
    with pytest.raises(OSError, match="No space left"):
        import_harness(output, revision, suite)
    assert not EvaluationRun.objects.exists()
    assert kept
    assert not default_storage.exists(kept[0])


VALUES = (
    st.none()
    | st.text(max_size=3)
    | st.integers()
    | st.floats()
    | st.sampled_from(["1e999", "\x00"])
    | st.builds(list)
    | st.builds(dict)
)


def spoil(value: Any, path: list[int], new: Any) -> Any:
    """The same JSON with one part of it, found by going down `path`, replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    key = list(value)[path[0] % len(value)] if isinstance(value, dict) else path[0] % len(value)
    changed = value.copy()
    changed[key] = spoil(value[key], path[1:], new)
    return changed


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(in_samples=st.booleans(), line=st.integers(0, 46), path=st.lists(st.integers(0, 60), max_size=5), new=VALUES)
def test_no_spoiled_file_is_more_than_refused(
    in_samples: bool,
    line: int,
    path: list[int],
    new: Any,
    output: Path,
    revision: ModelRevision,
    suite: Suite,
) -> None:
    file = samples_of(output) if in_samples else results_of(output)
    whole = file.read_text()
    lines = whole.splitlines() if in_samples else [whole]
    lines[line % len(lines)] = json.dumps(spoil(json.loads(lines[line % len(lines)]), path, new))
    file.write_text("\n".join(lines))
    problems = attempt(output, revision, suite)
    file.write_text(whole)
    assert all(problem.path.is_relative_to(output) for problem in problems)
    assert not EvaluationRun.objects.exists()


def attempt(folder: Path, revision: ModelRevision, suite: Suite) -> list[Problem]:
    """An import and its undoing, or why it was refused; anything else is a defect."""
    try:
        import_harness(folder, revision, suite).run.delete()
    except ImportRefused as error:
        return error.problems
    return []


def test_the_command_imports_and_tells_what_is_wrong(
    output: Path, revision: ModelRevision, suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["import_harness", str(output), "--revision", revision.slug, "--suite"]
    with pytest.raises(CommandError, match="There are: ko-basic"):
        call_command(*words, "ko-nothing")
    with pytest.raises(CommandError, match=revision.slug):
        call_command("import_harness", str(output), "--revision", "maker/model@0", "--suite", "ko-basic")
    call_command(*words, "ko-basic")
    assert f"{GENERATION}, {LIKELIHOOD}" in capsys.readouterr().out
    with pytest.raises(CommandError, match=r"(?s)Nothing was imported.*results_.*was imported already"):
        call_command(*words, "ko-basic")
    with pytest.raises(CommandError, match="does not exist"):
        call_command("import_harness", "nowhere", "--revision", revision.slug, "--suite", "ko-basic")
