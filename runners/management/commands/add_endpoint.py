"""`manage.py add_endpoint SLUG --base-url URL --served-name NAME`: a served model that may be evaluated."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runners import catalog
from runners.adapters import served

PURPOSES = ("harness", "judge", "arena")


class Command(BaseCommand):
    help = "Registers a model behind an OpenAI-compatible server. The key is given by its variable's NAME."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("--base-url", required=True, help="such as http://localhost:8001/v1")
        parser.add_argument("--served-name", required=True, help="the model's name as the server lists it")
        parser.add_argument("--key-env", default="", help="NAME of the environment variable with the key")
        parser.add_argument("--purpose", default="harness", help=f"comma-separated: {', '.join(PURPOSES)}")
        parser.add_argument("--likelihood", action="store_true", help="it gives log-probabilities of a given text")
        parser.add_argument("--organization", default="", help="who made the model, for the board")

    def handle(self, *args: Any, **options: Any) -> None:
        purposes = tuple(part.strip() for part in options["purpose"].split(",") if part.strip())
        if unknown := [part for part in purposes if part not in PURPOSES] or not purposes:
            raise CommandError(f"--purpose takes {', '.join(PURPOSES)}, not {unknown if purposes else 'nothing'}.")
        try:
            revision = catalog.register_endpoint(
                options["slug"],
                base_url=options["base_url"],
                served_name=options["served_name"],
                key_env=options["key_env"],
                purposes=purposes,
                supports_likelihood=options["likelihood"],
                organization=options["organization"],
            )
        except catalog.CatalogueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"registered {revision.slug} for {', '.join(purposes)}")
        if options["key_env"] and options["key_env"] not in os.environ:
            self.stderr.write(f"{options['key_env']} is not set here; web and workers need it in their environment.")
        try:
            served.ask(options["base_url"], options["served_name"], options["key_env"])
        except served.ServerError as error:
            self.stderr.write(f"The server does not answer yet: {error}.")
