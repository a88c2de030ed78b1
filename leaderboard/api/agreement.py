"""How a judge and people agree, as the agreement page shows it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leaderboard.api import schemas as s
from leaderboard.api.registry import ApiError, endpoint, whole, words
from leaderboard.rating_standings import agreement_pages, agreements, key_of

SHARE = s.component(
    "Share",
    s.record(
        {
            "agree": s.integer("comparisons with the same verdict"),
            "n": s.integer("comparisons"),
            "rate": s.or_null(s.number(), "0..1; null where there was nothing to compare"),
            "low": s.or_null(s.number(), "lower bound of the 95% interval"),
            "high": s.or_null(s.number()),
        }
    ),
)
INTERVAL = s.component("Interval", s.record({"value": s.number(), "low": s.number(), "high": s.number()}))
SLICE = {
    "S1": SHARE,
    "S2": SHARE,
    "S1_majority": SHARE,
    "S2_majority": SHARE,
    "kappa": s.or_null(INTERVAL, "Cohen's kappa against the majority, ties as a third outcome"),
    "kappa_decided": s.or_null(INTERVAL, "the same where both decided"),
    "alpha": s.or_null(INTERVAL, "Krippendorff's alpha, nominal"),
    "n_items": s.integer("items that both decided"),
    "n_questions": s.integer("questions they are on"),
    "human_human": s.record({"S1": SHARE, "S2": SHARE, "alpha": s.or_null(INTERVAL), "n_items": s.integer()}),
}
CUT = s.component(
    "AgreementCut",
    s.record({"kind": s.text("all, voters, category, language, gap or month"), "key": s.text(),
              "turn": s.or_null(s.integer()), **SLICE}),
)  # fmt: skip
ANSWER = s.record(
    {
        "judge": s.text(),
        "source": s.text(),
        "category": s.text(),
        "voters": s.text(),
        "turn": s.or_null(s.integer()),
        "snapshot": s.or_null(s.integer(), "null where no judge and no people have met yet"),
        "created_at": s.or_null(s.time()),
        **{name: s.or_null(schema) if schema is SHARE else schema for name, schema in SLICE.items()},
        "human_human": s.or_null(s.free(), "people among themselves on the same cut: the ceiling"),
        "swap": s.or_null(s.free(), "verdicts in both orders: consistent, flipped, n, rate with interval"),
        "position": s.or_null(INTERVAL, "share of decided verdicts for the left answer"),
        "length": s.or_null(INTERVAL, "share of decided verdicts for the longer answer"),
        "own_kin": s.or_null(INTERVAL, "points more than people give to the judge's own family"),
        "rank_correlation": s.or_null(s.free(), "Spearman and Kendall of both ratings"),
        "combined": s.or_null(s.free(), "ratings of people corrected by the judge"),
        "cuts": s.array(CUT, "the same numbers for every cut"),
        "known": s.array(s.record({"source": s.text(), "judge": s.text()}), "what can be asked for"),
    }
)
_NO_SLICE = {
    **dict.fromkeys(("S1", "S2", "S1_majority", "S2_majority", "kappa", "kappa_decided", "alpha", "human_human")),
    "n_items": 0,
    "n_questions": 0,
}
EXAMPLE: dict[str, Any] = {
    "judge": "", "source": "", "category": "", "voters": "", "turn": None, "snapshot": None, "created_at": None,
    **_NO_SLICE, "swap": None, "position": None, "length": None, "own_kin": None, "rank_correlation": None,
    "combined": None, "cuts": [], "known": [],
}  # fmt: skip


@endpoint(
    path="/api/v1/agreement",
    route="agreement",
    name="agreement",
    summary=gettext_lazy("Agreement of a judge with people"),
    description=gettext_lazy(
        "Every vote against the judge's one verdict on the same question, turn and unordered pair: S1 with ties, S2 "
        "where both decided, kappa and alpha with 95 per cent intervals; people among themselves beside it."
    ),
    response=ANSWER,
    example=EXAMPLE,
    parameters=(
        words("judge", gettext_lazy("Slug of a judge; the first when absent."), longest=80),
        words("source", gettext_lazy("Slug of people's votes; the first when absent."), longest=80),
        words("category", gettext_lazy("One category of votes alone."), longest=80),
        words("voters", gettext_lazy("One group of voters alone, such as expert."), longest=40),
        whole("turn", gettext_lazy("One turn alone; 0, or absent, is every turn."), minimum=0, maximum=1000, default=0),
    ),
    trial="/api/v1/agreement",
    statuses=(400, 404),
)
def agreement(request: HttpRequest, judge: str, source: str, category: str, voters: str, turn: int) -> dict[str, Any]:
    """From the stored numbers; before any, an answer without numbers."""
    asked = {"category": category, "voters": voters, "turn": turn or None}
    if not (judge and source):
        known = [pair for pair in agreements() if source in ("", pair[0]) and judge in ("", pair[1])]
        if not known:
            if judge or source:
                raise _unknown(source, judge)
            return {**EXAMPLE, **asked}
        source, judge = known[0]
    page = agreement_pages.subject(key_of(source, judge))
    if page is None:
        raise _unknown(source, judge)
    numbers = page.snapshot.numbers
    cut = _cut(numbers["slices"], category, voters, turn or None)
    return {
        "judge": judge, "source": source, **asked, "snapshot": page.snapshot.pk,
        "created_at": page.snapshot.created_at, **_slice(cut), "swap": numbers["swap"],
        "position": numbers["position"], "length": numbers["length"], "own_kin": numbers["own_kin"],
        "rank_correlation": numbers["ratings"], "combined": numbers["combined"],
        "cuts": [{"kind": one["kind"], "key": one["key"], "turn": one["turn"], **_slice(one)}
                 for one in numbers["slices"]],
        "known": [{"source": one, "judge": other} for one, other in page.pairs],
    }  # fmt: skip


def _cut(slices: list[dict[str, Any]], category: str, voters: str, turn: int | None) -> dict[str, Any]:
    """The stored slice that was asked for. Raises ApiError 404 where there is none."""
    if category in ("overall", "all"):
        category = ""
    kind, key = ("category", category) if category else ("voters", voters) if voters else ("all", "")
    if not (category and voters):
        for one in slices:
            if (one["kind"], one["key"], one["turn"]) == (kind, key, turn):
                return one
    cuts = sorted({f"{one['kind']}={one['key']}" for one in slices if one["kind"] in ("category", "voters")})
    turns = sorted({str(one["turn"]) for one in slices if one["turn"] is not None})
    message = _("There are no votes in that cut. There are: %(cuts)s; turns: %(turns)s.")
    asked = {"category": category, "voters": voters, "turn": str(turn or "")}
    name = next(name for name, value in asked.items() if value)
    raise ApiError(404, message % {"cuts": ", ".join(cuts) or "–", "turns": ", ".join(turns) or "–"}, name, asked[name])


def _slice(one: dict[str, Any]) -> dict[str, Any]:
    ceiling = one["ceiling"]
    return {
        "S1": one["s1"], "S2": one["s2"], "S1_majority": one["majority_s1"], "S2_majority": one["majority_s2"],
        "kappa": one["kappa"], "kappa_decided": one["kappa_decided"], "alpha": one["alpha"],
        "n_items": one["n_items"], "n_questions": one["n_questions"],
        "human_human": {"S1": ceiling["s1"], "S2": ceiling["s2"], "alpha": ceiling["alpha"],
                        "n_items": ceiling["n_items"]},
    }  # fmt: skip


def _unknown(source: str, judge: str) -> ApiError:
    known = ", ".join(f"source={one} judge={other}" for one, other in agreements()) or "–"
    message = _("No judge “%(judge)s” was held against people of “%(source)s”. There are: %(known)s.")
    return ApiError(
        404,
        message % {"judge": judge, "source": source, "known": known},
        *(("judge", judge) if judge else ("source", source)),
    )
