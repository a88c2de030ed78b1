"""Questions, the answers to them side by side, and models compared on a question set."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from judging.models import Judge
from leaderboard import answer_page, boards, charts, multi_turn, question_pages
from leaderboard.multi_turn_choice import Choice, category_title
from runners.models import EvaluationRun

LISTED = 25


@require_safe
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """An answer with its judgments, and what others answered beside it (`?with=…`, up to three)."""
    found = answer_page.find(pk)
    if found is None:
        raise Http404(f"no answer {pk}")
    page = answer_page.read(found, numbers(request.GET.getlist("with")))
    question = found.question
    keys = list(question.question_set.questions.values_list("key", flat=True))
    place = keys.index(question.key)
    context = {
        "section": "boards",
        "page": page,
        "answer": found,
        "question": question,
        "suite": question.question_set.suite,
        "shown": {side.answer.pk for side in page.sides},
        "before": keys[place - 1] if place else None,
        "after": keys[place + 1] if place + 1 < len(keys) else None,
    }
    return render(request, "judging/answer.html", context)


@require_safe
def questions(request: HttpRequest, slug: str) -> HttpResponse:
    """The questions of a set with how models fare on them; one run's scores beside them with `?run=`."""
    question_set = question_pages.current_set(slug)
    if question_set is None:
        raise Http404(f"no question set {slug}")
    judge, judges = question_pages.judge_of(question_set, request.GET.get("judge", "")[:100])
    runs = numbers([request.GET.get("run", "")])
    run = EvaluationRun.objects.filter(pk__in=runs, suite=question_set.suite, withdrawn_at=None)
    run = run.exclude(revision__language_model__hidden_reason__gt="").select_related("revision__language_model")
    own = run.first()
    context = {
        "section": "boards",
        "suite": question_set.suite,
        "question_set": question_set,
        "judge": judge,
        "judges": judges,
        "run": own,
        "lines": question_pages.lines(question_set, judge, own.pk if own else None),
    }
    return render(request, "judging/questions.html", context)


@require_safe
def question(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """One question whole, with every answer to it."""
    question_set = question_pages.current_set(slug)
    found = question_set.questions.filter(key=key).first() if question_set else None
    if question_set is None or found is None:
        raise Http404(f"no question {key} in {slug}")
    neighbours, columns = answer_page.neighbours_of(found)
    references = found.references or []
    turns = [(turn, references[i] if i < len(references) else None) for i, turn in enumerate(found.turns)]
    context = {
        "section": "boards",
        "suite": question_set.suite,
        "question": found,
        "turns": turns,
        "neighbours": neighbours,
        "columns": columns,
        "modes": len({one.answer.mode for one in neighbours}) > 1,
    }
    return render(request, "judging/question.html", context)


@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two to four models on a question set: their numbers, and where they differ most."""
    question_set = question_pages.current_set(slug)
    if question_set is None:
        raise Http404(f"no question set {slug}")
    choice = Choice.read(request.GET)
    judge, judges = _single(*question_pages.judge_of(question_set, choice.judge))
    rows = question_pages.summary(question_set, judge, choice.models) if judge else []
    runs = [row.run_id for row in rows]
    found = question_pages.contrasts(question_set, judge, runs) if judge and len(rows) > 1 else []
    offered = multi_turn.listed(question_set, judge, choice.mode) if judge else []
    context: dict[str, Any] = {
        "section": "boards",
        "suite": question_set.suite,
        "judge": judge,
        "judges": judges,
        "choice": choice,
        "rows": rows,
        "found": found[:LISTED],
        "pairs": [(rows[0], rows[one.place], one) for one in question_pages.paired(found, len(rows))],
        "offered": [(row, row.standing()) for row in offered],
        "suites": boards.published_suites(),
        **_profiles(rows, judge, choice),
    }
    return render(request, "judging/compare.html", context)


def _single(judge: Judge | None, judges: list[Judge]) -> tuple[Judge | None, list[Judge]]:
    """The comparison is of scores: a judge of pairs gives way to the first that has given some."""
    scoring = [one for one in judges if one.mode == Judge.Mode.SINGLE]
    return (judge if judge in scoring else next(iter(scoring), None)), scoring


def _profiles(rows: list[Any], judge: Judge | None, choice: Choice) -> dict[str, Any]:
    """The stored means of the compared runs and the radar of their categories."""
    standings = [row.standing(choice.failures, choice.language) for row in rows]
    known = [(row, standing) for row, standing in zip(rows, standings, strict=True) if standing is not None]
    categories = list(dict.fromkeys(name for _row, standing in known for name in standing.categories))
    series = [
        charts.Series(
            row.run.revision.language_model.display_name,
            [standing.categories[name].value if name in standing.categories else None for name in categories],
        )
        for row, standing in known
    ]
    names = [category_title(name) for name in categories]
    turns = sorted({turn for _row, standing in known for turn in standing.turns})
    lines = [(_("Overall"), [standing.overall for _row, standing in known])]
    lines += [(_("Turn %(turn)d") % {"turn": t}, [standing.turns.get(t) for _row, standing in known]) for t in turns]
    lines += [
        (category_title(name), [standing.categories.get(name) for _row, standing in known]) for name in categories
    ]
    return {"radar": charts.radar(_("Mean score by category"), names, series, 0.0, 10.0), "means": lines}


def numbers(texts: list[str]) -> tuple[int, ...]:
    """The ids in a list of texts, separated by commas or not."""
    return Choice.read({"models": ",".join(texts)}).models
