"""Judges and how far each can be trusted."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from judging import standings
from judging.bias import Share
from leaderboard import boards, judge_history, judge_page, panel_page


@require_safe
def judges(request: HttpRequest) -> HttpResponse:
    """Every judge with its trial in short."""
    return render(request, "judging/judges.html", {"section": "judges", "cards": judge_page.cards()})


@require_safe
def judge(request: HttpRequest, slug: str) -> HttpResponse:
    """One judge: trials, prompts as sent, gallery of reasons, and the other judges of the same answers."""
    found, versions = judge_page.find(slug, request.GET.get("version", ""))
    if found is None:
        raise Http404(f"no judge {slug}")
    shown = request.GET.get("shown", "")[:10]
    context = {
        "section": "judges",
        "judge": found,
        "versions": versions,
        "trials": judge_page.trials_of(found),
        "histories": judge_history.read(found),
        "canary_texts": judge_page.CANARY_TEXTS,
        "distribution": judge_page.distribution(found),
        "shown": shown,
        "gallery": judge_page.gallery(found, shown),
        "bench": judge_page.bench(found, boards.generation()),
    }
    return render(request, "judging/judge.html", context)


@require_safe
def panel(request: HttpRequest) -> HttpResponse:
    """Two or three judges side by side on the same answers, as the reader seats them."""
    sets = panel_page.sets()
    asked = request.GET.get("set", "")
    question_set = next((one for one in sets if one.slug == asked), sets[0] if sets else None)
    context: dict[str, object] = {"section": "judges", "sets": sets, "question_set": question_set}
    if question_set is not None:
        judges = standings.judges_of(question_set)
        seated = panel_page.seat(judges, [name[:100] for name in request.GET.getlist("judge")])
        found = panel_page.build(question_set, seated, boards.generation())
        context |= {
            "judges": judges,
            "seats": [*seated, *[None] * (panel_page.SEATS - len(seated))],
            "panel": found,
            "unanimous": found and Share(found.unanimous, found.n),
        }
    return render(request, "judging/panel.html", context)
