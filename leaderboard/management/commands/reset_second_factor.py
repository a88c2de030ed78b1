"""`manage.py reset_second_factor USERNAME --reason TEXT`: for who has lost the device and the recovery codes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboard.console import second_factor


class Command(BaseCommand):
    help = (
        "Takes the second factor off an account; an audit row says so. Make sure that it is really its owner who asks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="stands in the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['username']}.")
        try:
            if not second_factor.reset(user, options["reason"]):
                raise CommandError(f"{user} has no second factor.")
        except ValueError as error:
            raise CommandError("Give a --reason: it stands in the audit.") from error
        self.stdout.write(f"{user} logs in with the password alone and can set up a new device in the console.")
