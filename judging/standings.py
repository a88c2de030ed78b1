"""What pages read of judging: stored numbers per run and judge, and each judge's trial. Nothing is computed here.

Writers are `judging.tally` (JudgedRun) and `judging.trials` (JudgeTrial), at the end of every judging and import.
"""

from __future__ import annotations

from judging.models import Judge, JudgedRun, JudgeTrial, QuestionSet
from runners import overrides
from runners.models import ModelRevision


def judged_runs(question_set: QuestionSet, judge: Judge, *, every: bool = False) -> list[JudgedRun]:
    """The rows of a board in no order: the newest judged run of each revision and mode, or every one.

    One query; `run.revision.language_model` and `judge` come along. Withdrawn and cancelled runs are left out, the
    invalid ones (`is_invalid`) and those still being judged (`is_complete` False) are not: the page says so.
    """
    rows = (
        JudgedRun.objects.filter(question_set=question_set, judge=judge, run__withdrawn_at=None)
        .exclude(run__status="cancelled")
        .select_related("run__revision__language_model", "judge")
        .order_by("-run__created_at", "-run_id")
    )
    if every:
        return list(rows)
    newest: dict[tuple[int, str], JudgedRun] = {}
    for row in rows:
        newest.setdefault((row.run.revision_id, row.mode), row)
    return list(newest.values())


def judges_of(question_set: QuestionSet) -> list[Judge]:
    """The judges with numbers on this set: staff's default, then language models, imported ones, the built-in rule."""
    order = {Judge.Kind.LLM: 0, Judge.Kind.IMPORTED: 1, Judge.Kind.BUILTIN: 2}
    judges = list(Judge.objects.filter(judged__question_set=question_set).distinct())
    name = default_name(question_set.slug)
    first = overrides.read({name: ""})[name] if len(judges) > 1 else ""
    return sorted(
        judges,
        key=lambda judge: (judge.slug != first, order[Judge.Kind(judge.kind)], not judge.is_active, -judge.pk),
    )


def default_name(question_set: str) -> str:
    """The override that holds the slug of the judge whose numbers a set's board shows first."""
    return f"judge.default.{question_set}"


def modes_of(question_set: QuestionSet, judge: Judge) -> list[str]:
    """The prompting modes there are numbers for, `default` first."""
    found = JudgedRun.objects.filter(question_set=question_set, judge=judge).values_list("mode", flat=True).distinct()
    return sorted(found, key=lambda mode: (mode != "default", mode))


def trial(judge: Judge, question_set: QuestionSet | None = None) -> JudgeTrial | None:
    """The judge's trial on a set; without a set, the one with the most judgments. None before its first judging."""
    rows = JudgeTrial.objects.filter(judge=judge).select_related("question_set")
    if question_set is not None:
        rows = rows.filter(question_set=question_set)
    return rows.order_by("-n_judgments").first()


def trials(judge: Judge) -> list[JudgeTrial]:
    """Every trial of a judge, the one with the most judgments first."""
    return list(JudgeTrial.objects.filter(judge=judge).select_related("question_set").order_by("-n_judgments"))


def baseline_of(judge: Judge) -> ModelRevision | None:
    """Whom a judge of pairs compares with; None for single answers and imports between all models."""
    return judge.baseline
