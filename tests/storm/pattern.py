"""The product in the storm: real worker and reconciler processes, runs submitted all the while, then the count.

A process of its own, since its database and its data directory are those of the environment:
`python -m tests.storm.pattern SECONDS SEED` prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.lanes import ROOT
from tests.storm.faults import Crew, Redis, Storm

WORKERS = 4
RUNS_A_SECOND = float(os.environ.get("STORM_RATE", "5"))
# Runs submitted before earlier ones have ended; 0: as many as come.
BACKLOG = int(os.environ.get("STORM_BACKLOG", "16"))
PATIENCE = float(os.environ.get("STORM_PATIENCE", "60"))
RUNS_A_REVISION = 4


def main(seconds: float, seed: int) -> dict[str, Any]:
    """Storms for `seconds` and counts what came out."""
    import django

    django.setup()
    from django.conf import settings

    from runners.models import EvaluationRun

    home = Path(settings.HOME)
    prepare()
    redis = Redis(home)
    crew = Crew([sys.executable, "manage.py", "work", "--queue", "gpu"], WORKERS, home / "workers.log", ROOT)
    reconciler = subprocess.Popen(
        [sys.executable, "manage.py", "reconcile"], cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True,
        stderr=(home / "reconciler.log").open("ab"),
    )  # fmt: skip
    chance = random.Random(seed)
    hits = Hits()
    storm = Storm(crew, redis, duplicator(chance), settings.LEASE_SECONDS, chance, spared, hits)
    submit = Submissions(seconds)
    try:
        crew.keep()
        time.sleep(2)
        storm.rage(seconds, submit)
        left = EvaluationRun.objects.active().count()
        ended = settle(storm)
        # Zombies wake now, and try to write.
        limit = time.monotonic() + 15
        while (crew.frozen or storm.orphans) and time.monotonic() < limit:
            crew.keep()
            storm.watch_orphans()
            time.sleep(0.05)
        time.sleep(1.5)
    finally:
        reconciler.terminate()
        crew.stop()
        reconciler.wait()
        redis.stop()
    return count(storm, ended, home) | {"left_after_the_storm": left} | hits.until_the_end()


class Hits:
    """The runs that a fault struck, by when it last did, and how long each then took to end well."""

    def __init__(self) -> None:
        self.at: dict[int, datetime] = {}

    def __call__(self, worker: int) -> bool:
        """Notes the worker's run as struck now; False where that is in a later attempt and must be spared."""
        from runners.models import EvaluationRun

        running = EvaluationRun.objects.filter(status="running", worker__endswith=f"-{worker}")
        attempts = dict(running.values_list("pk", "attempt"))
        if any(attempt >= 2 for attempt in attempts.values()):
            return False
        self.at |= dict.fromkeys(attempts, datetime.now(UTC))
        return True

    def until_the_end(self) -> dict[str, Any]:
        """Median and worst seconds from a fault to the end of the run it struck, repair and repetition together."""
        from runners.models import EvaluationRun

        ends = EvaluationRun.objects.filter(pk__in=self.at, status="finished").values_list("pk", "finished_at")
        took = sorted((end - self.at[pk]).total_seconds() for pk, end in ends)
        if not took:
            return {}
        return {
            "struck_runs": len(took),
            "struck_median_seconds": took[len(took) // 2],
            "struck_worst_seconds": took[-1],
        }


def prepare() -> None:
    """A database without the second lock (one result per run and task), so that the protocol itself is tried."""
    from django.core.management import call_command
    from django.db import connection

    from runners.models import TaskResult
    from tests.factories import make_suite

    call_command("migrate", verbosity=0)
    lock = next(c for c in TaskResult._meta.constraints if c.name == "one_result_per_run_and_task")
    with connection.schema_editor() as editor:
        editor.remove_constraint(TaskResult, lock)
    suite = make_suite("storm", tasks=2)
    suite.tasks.update(dataset_source="bundled")


class Submissions:
    """Runs submitted evenly over the storm, several for each model so that one loading serves more than one.

    No more than BACKLOG at once: how fast the fleet repairs itself is measured, not how fast the machine is
    (docs/benchmarks.md has both).
    """

    def __init__(self, seconds: float) -> None:
        self.total, self.seconds, self.made = int(seconds * RUNS_A_SECOND), seconds, 0

    def __call__(self, elapsed: float) -> None:
        from runners import runs
        from runners.adapters import hub
        from runners.models import EvaluationRun, Suite
        from tests.factories import make_revision

        now_due = min(self.total, int(self.total * elapsed / (self.seconds * 0.97)))
        due = max(0, now_due - self.made)
        for _ in range(min(BACKLOG - EvaluationRun.objects.active().count(), due) if due and BACKLOG else due):
            if self.made % RUNS_A_REVISION == 0:
                self.revision = make_revision(f"maker/model-{self.made}")
                folder = hub.folder(self.revision.hub_id, self.revision.commit_sha)
                folder.mkdir(parents=True)
                (folder / "config.json").write_text("{}")
            runs.request(self.revision, Suite.objects.get(), run_settings={"seed": self.made})
            self.made += 1


def duplicator(chance: random.Random) -> Any:
    from runners.adapters import queue
    from runners.models import EvaluationRun

    def duplicate() -> None:
        newest = list(EvaluationRun.objects.order_by("-pk").values_list("pk", flat=True)[:20])
        if newest:
            chosen = chance.choice(newest)
            for _ in range(2):
                try:
                    queue.hint("gpu", chosen)
                except queue.QueueUnreachable as error:
                    raise OSError(str(error)) from error

    return duplicate


def spared() -> set[int]:
    """Workers with a run in a later attempt: three losses are poison by design, and that is tested elsewhere."""
    from runners.models import EvaluationRun

    names = EvaluationRun.objects.filter(status="running", attempt__gte=2).values_list("worker", flat=True)
    return {int(name.rsplit("-", 1)[1]) for name in names}


def settle(storm: Storm) -> float | None:
    """Seconds from the last fault until every run has ended; None when that does not happen."""
    from runners.models import EvaluationRun

    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        storm.crew.keep()
        storm.watch_orphans()
        if not EvaluationRun.objects.active().exists():
            return time.monotonic() - storm.last
        time.sleep(0.05)
    return None


def count(storm: Storm, ended: float | None, home: Path) -> dict[str, Any]:
    """The outcome: lost and double results, attempts that came to nothing, how long repairs took."""
    from django.db.models import Avg, Count, F, Sum

    from runners.models import EvaluationRun, Sample, TaskResult

    every = EvaluationRun.objects.count()
    whole = EvaluationRun.objects.filter(status="finished").annotate(n=Count("results__task", distinct=True))
    done = whole.filter(n=2).count()
    pairs = TaskResult.objects.values("run", "task").annotate(n=Count("pk"))
    samples = Sample.objects.count(), Sample.objects.values("result__run", "result__task", "doc_id").distinct().count()
    attempts = EvaluationRun.objects.aggregate(n=Sum("attempt"))["n"] or 0
    times = EvaluationRun.objects.filter(finished_at__isnull=False).aggregate(
        mean=Avg(F("finished_at") - F("created_at"))
    )
    mean = times["mean"] or timedelta()
    log = (home / "workers.log").read_text(errors="replace")
    return {
        "runs": every,
        "faults": dict(storm.done),
        "lost": every - done,
        "double": sum(row["n"] - 1 for row in pairs) + samples[0] - samples[1],
        "attempts": attempts,
        "wasted": attempts / every - 1 if every else 0.0,
        "seconds_after_last_fault": ended,
        "stale_attempts_refused": log.count("another attempt has taken over"),
        "longest_orphan": storm.longest_orphan,
        "mean_seconds_a_run": mean.total_seconds(),
        "not_finished": Counter(EvaluationRun.objects.exclude(status="finished").values_list("status", "error_kind")),
        "failed_attempts": list(EvaluationRun.objects.filter(status="failed").values_list("attempts_log", flat=True)),
        "endings": Counter(
            entry["kind"] for log in EvaluationRun.objects.values_list("attempts_log", flat=True) for entry in log
        ),
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    outcome = main(float(sys.argv[1]), int(sys.argv[2]))
    outcome["not_finished"] = {"/".join(key): n for key, n in outcome["not_finished"].items()}
    print(json.dumps(outcome))
