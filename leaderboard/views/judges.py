"""Judges and how far each can be trusted."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leaderboard import boards, judge_page


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
        "canary_texts": judge_page.CANARY_TEXTS,
        "distribution": judge_page.distribution(found),
        "shown": shown,
        "gallery": judge_page.gallery(found, shown),
        "bench": judge_page.bench(found, boards.generation()),
    }
    return render(request, "judging/judge.html", context)
