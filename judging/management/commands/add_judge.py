"""`manage.py add_judge SLUG --endpoint SLUG`: a served model becomes an active judge."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from judging import forecast, judges, plan
from judging.models import Judge
from runners import judging_phase
from runners.models import Endpoint, ModelRevision


class Command(BaseCommand):
    help = "Makes a served model a judge, or changes one: other words, mode or model make its next version."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--endpoint", required=True, metavar="SLUG", help="registered with add_endpoint")
        parser.add_argument("--mode", choices=[Judge.Mode.SINGLE, Judge.Mode.PAIR, Judge.Mode.FIVE], default="single")
        parser.add_argument("--repeats", type=int, metavar="K", help="judgments of each answer, for the noise floor")
        parser.add_argument("--cap-usd", metavar="USD", help="most that one run's judging may cost")
        parser.add_argument("--baseline", metavar="REVISION", help="whom pair and five compare with")
        parser.add_argument("--all-pairs", action="store_true", help="pair and five compare every model with every one")
        parser.add_argument("--language", choices=["ko", "en"], default="ko", help="of the judge's prompts")
        parser.add_argument("--json-schema", action="store_true", help="the server enforces JSON schemas")
        parser.add_argument("--temperature", type=float, default=0.0)
        parser.add_argument("--max-tokens", type=int, default=2048)
        parser.add_argument("--family", default="", help="maker of the judging model, for self-preference")
        parser.add_argument("--set", action="append", default=[], metavar="SLUG", help="only these question sets")
        parser.add_argument("--inactive", action="store_true", help="keep it ready without letting it judge")
        parser.add_argument("--judge-finished", action="store_true", help="let it judge the finished runs as well")
        parser.add_argument("--estimate", action="store_true", help="say what judging the finished runs takes; no more")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if options["repeats"] is not None and not 1 <= options["repeats"] <= 20:
            raise CommandError("--repeats must be from 1 to 20.")
        try:
            judge = judges.add(
                options["slug"],
                _endpoint(options["endpoint"]),
                mode=options["mode"],
                repeats=options["repeats"],
                cap_usd=_dollars(options["cap_usd"]),
                baseline=_revision(options["baseline"]),
                all_pairs=options["all_pairs"],
                language=options["language"],
                json_schema=options["json_schema"],
                temperature=options["temperature"],
                max_tokens=options["max_tokens"],
                family=options["family"],
                question_sets=tuple(options["set"]),
                active=not options["inactive"],
            )
        except judges.JudgeError as error:
            raise CommandError(str(error)) from error
        if options["judge_finished"] or options["estimate"]:
            self._tell(judge)
        if options["estimate"]:
            transaction.set_rollback(True)
            self.stdout.write("Nothing was changed. Leave --estimate out to make the judge.")
            return
        self.stdout.write(f"{judge}: {'active' if judge.is_active else 'ready, inactive'}")
        if options["judge_finished"]:
            again = sum(judging_phase.judge_again(run) for run in forecast.finished_runs(judge))
            self.stdout.write(f"{again} finished runs wait for it now")

    def _tell(self, judge: Judge) -> None:
        """What the finished runs take, before anything of it is asked."""
        try:
            found = forecast.of(judge)
        except plan.NoBaseline as error:
            raise CommandError(str(error)) from error
        money = "no price is known" if found.most_usd is None else f"at most {found.dollars} ({found.won})"
        pairs = f", {found.pairs} pairs of models" if found.pairs else ""
        self.stdout.write(f"{found.runs} finished runs{pairs}: {found.calls} calls, repairs not counted; {money}")


def _endpoint(slug: str) -> Endpoint:
    found = Endpoint.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Endpoint.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(
            f"There is no endpoint {slug} (there are: {known}). Register it with `manage.py add_endpoint`."
        )
    return found


def _revision(slug: str | None) -> ModelRevision | None:
    found = ModelRevision.objects.filter(slug=slug).first() if slug else None
    if slug and found is None:
        raise CommandError(f"There is no revision {slug}; the models page lists those there are.")
    return found


def _dollars(text: str | None) -> Decimal | None:
    try:
        cap = Decimal(text) if text else None
    except InvalidOperation:
        raise CommandError(f"“{text}” is no amount in dollars; write it like 2.50.") from None
    if cap is not None and not (cap.is_finite() and cap > 0):
        raise CommandError("--cap-usd must be above 0.")
    return cap
