"""Importing 1,000,000 votes and refitting from them, on SQLite; on PostgreSQL as well with DATABASE_URL set.

    .venv/bin/python -m bench.votes [--votes 1000000] [--models 200]

Limits: the import within 60 s on two cores; a light refit (methods fitted on kept counts) independent of the number of
votes; from a vote's commit to the new snapshot within 10 s. Each part is a process of its own on a fresh database.
"""

from __future__ import annotations

import argparse
import os
import random
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
    from arena.models import Vote, VoteSource
    from arena.votes_import import import_votes
    from leaderboard.ratings import LIGHT, METHODS, refit

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
    vote = Vote.objects.filter(source=source).first()
    assert vote is not None
    vote.pk, vote.external_id, vote.battle = None, "bench-one-more", None

    def one_more() -> None:
        vote.save(force_insert=True)
        tallies.count_vote(vote)
        refit(source, LIGHT)

    timed("one more vote to its snapshots, five methods", one_more)
    timed("recount of every vote", lambda: tallies.recount(source))
    print(f"  counts equal a recount: {not tallies.difference(source)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.csv"
        write(path, options.votes, options.models)
        print(f"{options.votes:,} votes x {options.models} models, {path.stat().st_size / 1e6:.0f} MB of CSV")
        environment = {**os.environ, "GYEORU_HOME": folder, "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, "-m", "bench.votes", "--measure", str(path)]
        for database in ("SQLite", "PostgreSQL"):
            if database == "PostgreSQL" and not os.environ.get("DATABASE_URL"):
                print("PostgreSQL: skipped, set DATABASE_URL")
                continue
            chosen = environment if database == "PostgreSQL" else {**environment, "DATABASE_URL": ""}
            print(database)
            subprocess.run(command, cwd=ROOT, env=chosen, check=True)


if __name__ == "__main__":
    main()
