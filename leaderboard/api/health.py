"""/healthz: whether this site can serve, and what stands in the way of its queue, in words."""

from __future__ import annotations

from typing import Any

from django.db import Error as DatabaseProblem
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy

import runners
from leaderboard.api import schemas as s
from leaderboard.api import state
from leaderboard.api.registry import choice, endpoint
from leaderboard.api.respond import encode, send

CHECK = s.record({"ok": s.flag(), "message": s.text()})


@endpoint(
    path="/healthz",
    route="healthz",
    name="healthz",
    summary=gettext_lazy("State"),
    description=gettext_lazy(
        "200 while pages can be served, 503 when the database is away. A queue in trouble is “degraded” with the "
        "reasons and still 200, since restarting a web process would not help; with strict=1 it is 503 for monitors."
    ),
    response=s.record(
        {
            "status": s.one_of("ok", "degraded", "down"),
            "reasons": s.array(s.text(), "what is wrong, empty when nothing is"),
            "checks": s.table(CHECK, "database, reconciler, redis, workers"),
            "reconciler_heartbeat_age": s.or_null(s.number()),
            "workers": s.table(s.integer(), "alive workers by lane"),
            "version": s.text(),
        }
    ),
    example={
        "status": "ok",
        "reasons": [],
        "checks": {"database": {"ok": True, "message": "answers"}},
        "reconciler_heartbeat_age": 0.7,
        "workers": {"eval": 2},
        "version": "0.1.0",
    },
    parameters=(choice("strict", ["0", "1"], gettext_lazy("1: degraded is 503 as well.")),),
    trial="/healthz",
    statuses=(503,),
    is_live=True,
    is_strict=False,
)
def healthz(request: HttpRequest, strict: str | None) -> HttpResponseBase:
    """Two queries."""
    try:
        now = state.read()
    except DatabaseProblem as error:
        body = _payload({"database": (False, f"the database cannot be reached: {type(error).__name__}")}, None)
    else:
        body = _payload(checks(now), now)
    refused = body["status"] == "down" or (strict == "1" and body["status"] != "ok")
    return send(request, encode(body), status=503 if refused else 200, is_live=True)


def checks(now: state.State) -> dict[str, tuple[bool, str]]:
    """Per part whether it is well, and in words how it is. In English: machines and operators read it."""
    found = {"database": (True, "answers"), "reconciler": _reconciler(now)}
    note = now.reconciler.note if now.reconciler else ""
    lost = "Redis" in note
    found["redis"] = (not lost, f"queue degraded: {note}" if lost else "the reconciler has no complaint")
    short = [lane.lane for lane in now.lanes if lane.waiting and not lane.workers]
    alive = sum(lane.workers for lane in now.lanes)
    if short:
        found["workers"] = (False, f"queue degraded: runs wait and no worker is alive for {', '.join(short)}")
    else:
        found["workers"] = (alive > 0, f"{alive} alive" if alive else "queue degraded: no worker is alive")
    return found


def _reconciler(now: state.State) -> tuple[bool, str]:
    if now.reconciler_age is None:
        return False, "queue degraded: the reconciler has never been seen; start manage.py reconcile"
    if not now.reconciler_is_alive:
        return False, f"queue degraded: the reconciler gave no sign of life for {now.reconciler_age:.0f} s"
    return True, f"last sign of life {now.reconciler_age:.1f} s ago"


def _payload(found: dict[str, tuple[bool, str]], now: state.State | None) -> dict[str, Any]:
    reasons = [message for ok, message in found.values() if not ok]
    return {
        "status": "down" if now is None else "degraded" if reasons else "ok",
        "reasons": reasons,
        "checks": {name: {"ok": ok, "message": message} for name, (ok, message) in found.items()},
        "reconciler_heartbeat_age": now.reconciler_age if now else None,
        "workers": {lane.lane: lane.workers for lane in now.lanes} if now else {},
        "version": runners.VERSION,
    }
