"""Importing 1,000,000 votes and refitting from them, on SQLite; on PostgreSQL as well with DATABASE_URL set.

    .venv/bin/python -m bench.votes [--votes 1000000] [--models 200] [--grow 10]

Limits: the import within 60 s on two cores; a light refit (methods fitted on kept counts) independent of the number of
votes and within 200 MB; from a vote's commit to the new rating on the page within 10 s. With `--grow` every vote is
copied so many times inside the database, counts and the state of Elo with them, and the last part is done again. Each
part is a process of its own on a fresh database.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write(path: Path, votes: int, models: int) -> None:
    """A CSV of votes with every optional column: ids, prompts, turns, 50,000 voters, four categories, times."""
    chance = random.Random(1)
    winners, categories = ("model_a", "model_b", "tie", "tie (bothbad)"), ("writing", "coding", "math", "hard")
    with path.open("w") as file:
        file.write("id,model_a,model_b,winner,prompt,turn,voter,language,category,tstamp\n")
        for number in range(votes):
            left = chance.randrange(models)
            right = (left + 1 + chance.randrange(models - 1)) % models
            winner = winners[chance.choices(range(4), (40, 40, 15, 5))[0]]
            file.write(
                f"v{number},model-{left:04},model-{right:04},{winner},p{chance.randrange(200_000)},{1 + number % 2},"
                f"user_{chance.randrange(50_000)},ko,{categories[number % 4]},{1_700_000_000 + number}\n"
            )


def measure(path: Path) -> None:
    """The part that needs Django: import, refits, one more vote. Prints a line per figure."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from arena import tallies
    from arena.models import VoteSource
    from arena.votes_import import import_votes
    from leaderboard.ratings import METHODS, refit

    def timed(label: str, work: object) -> None:
        began = time.perf_counter()
        assert callable(work)
        work()
        print(f"  {label:<52}{time.perf_counter() - began:9.2f} s", flush=True)

    timed("import, tallies kept", lambda: import_votes(path, "bench"))
    source = VoteSource.objects.get(slug="bench")
    timed("the same file again: every row known", lambda: import_votes(path, "bench"))
    for method in METHODS:
        timed(f"first refit, {method}", lambda method=method: refit(source, (method,)))
    timed("recount of every vote", lambda: tallies.recount(source))
    print(f"  counts equal a recount: {not tallies.difference(source)}", flush=True)


def one_more() -> None:
    """One more vote: what the watching refit does with it and what the page then shows. Prints a line per figure."""
    import django

    django.setup()
    from django.conf import settings
    from django.db import transaction
    from django.test import Client
    from django.urls import reverse

    from arena import tallies
    from arena.models import Vote, VoteSource
    from leaderboard.models import RatingSnapshot
    from leaderboard.ratings import LIGHT, refit

    settings.ALLOWED_HOSTS = ["*"]
    source = VoteSource.objects.get(slug="bench")
    vote = Vote.objects.filter(source=source).order_by("pk").first()
    assert vote is not None
    vote.pk, vote.external_id, vote.battle = None, f"one more {time.time()}", None
    size = Vote.objects.filter(source=source).count()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, used = time.perf_counter(), time.process_time()
    with transaction.atomic():
        vote.save(force_insert=True)
        tallies.count_vote(vote)
    refit(source, LIGHT)
    took, spent = time.perf_counter() - began, time.process_time() - used
    page = Client().get(reverse("ratings"), {"source": "bench"}, follow=True)
    seen = time.perf_counter() - began
    newest = RatingSnapshot.objects.filter(source="bench", method="bt", category="overall").order_by("-pk")[0]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"  at {size:,} votes: one more to its snapshots, five methods {took:.2f} s ({spent:.2f} s of CPU)")
    print(f"    the page (HTTP {page.status_code}) {seen:.2f} s after the vote, besides the pause of 3 s between looks")
    print(f"    the vote is in: {newest.up_to_vote == vote.pk}; memory grown by {grown:.0f} MB", flush=True)


def grow(times: int) -> None:
    """Copies every vote inside the database; counts and Elo's place in the votes follow."""
    import django

    django.setup()
    from django.db import connection, transaction
    from django.db.models import F, Max

    from arena.models import PairTally, Vote
    from leaderboard.models import RatingSnapshot

    kept = "source_id, left_id, right_id, winner, voter_id, item, turn, category, language, reasons, comment, cast_at"
    copy = (
        "WITH RECURSIVE copies(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM copies WHERE number < %s) "
        f"INSERT INTO arena_vote (external_id, {kept}) "
        f"SELECT external_id || ':' || number, {kept} FROM copies, arena_vote WHERE true"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # copies of sound rows: their references need no second look
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(copy, [times - 1])
        fields = ("left_wins", "right_wins", "ties", "both_bad")
        PairTally.objects.update(**{field: F(field) * times for field in fields})
        last = Vote.objects.aggregate(last=Max("pk"))["last"]
        for snapshot in RatingSnapshot.objects.filter(method="elo"):
            snapshot.up_to_vote, snapshot.state["n_votes"] = last, snapshot.state["n_votes"] * times
            snapshot.save()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--grow", type=int, default=1, help="copy every vote so many times for the last part")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one-more", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only-grow", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    if options.only_grow or options.one_more:
        grow(options.grow) if options.only_grow else one_more()
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.csv"
        write(path, options.votes, options.models)
        print(f"{options.votes:,} votes x {options.models} models, {path.stat().st_size / 1e6:.0f} MB of CSV")
        environment = {**os.environ, "GYEORU_HOME": folder, "DJANGO_SETTINGS_MODULE": "config.settings"}
        program = [sys.executable, "-m", "bench.votes"]
        parts = [["--measure", str(path)], ["--one-more"]]
        if options.grow > 1:
            parts += [["--only-grow", "--grow", str(options.grow)], ["--one-more"]]
        for database in ("SQLite", "PostgreSQL"):
            if database == "PostgreSQL" and not os.environ.get("DATABASE_URL"):
                print("PostgreSQL: skipped, set DATABASE_URL")
                continue
            chosen = environment if database == "PostgreSQL" else {**environment, "DATABASE_URL": ""}
            print(database)
            for part in parts:
                subprocess.run([*program, *part], cwd=ROOT, env=chosen, check=True)


if __name__ == "__main__":
    main()
