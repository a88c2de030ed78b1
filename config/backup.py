"""The whole site in one file and back: every row and every artifact, for SQLite and PostgreSQL alike.

A gzipped tar of `rows/<app>.<model>.jsonl` (one JSON list a row, columns as the manifest names them), `artifacts/…`,
and, last, `manifest.json` with the sha256 of every member: a file that was cut has none and is refused.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.utils import timezone

import runners
from runners import schema

FORMAT = 1
# Who is logged in and which workers live is of the moment; logging in again and starting workers restores both.
LEFT_OUT = {"sessions.session", "runners.worker"}
BATCH = 500
Manifest = dict[str, Any]


class BackupError(Exception):
    """The file cannot be used, or the database is not as it must be; the message says what to do."""


def tables() -> list[type[models.Model]]:
    """Every table of the site, those of many-to-many relations too."""
    every = apps.get_models(include_auto_created=True)
    return [m for m in every if m._meta.managed and not m._meta.proxy and m._meta.label_lower not in LEFT_OUT]


def write(target: Path) -> Manifest:
    """Writes the backup of one moment while the site goes on; `target` appears whole or not at all. The manifest."""
    part = target.with_name(target.name + ".part")
    members: dict[str, list[Any]] = {}
    columns: dict[str, list[str]] = {}
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as tar:
            with _moment():
                for model in tables():
                    name = model._meta.label_lower
                    columns[name] = [field.attname for field in model._meta.concrete_fields]
                    with _rows_file(model) as rows:
                        _add(tar, members, f"rows/{name}.jsonl", rows)
            for name in stored_files():
                with default_storage.open(name, "rb") as file, tempfile.TemporaryFile() as copy:
                    for block in file.chunks():
                        copy.write(block)
                    _add(tar, members, f"artifacts/{name}", copy)
            manifest: Manifest = {
                "format": FORMAT,
                "version": runners.VERSION,
                "at": timezone.now().isoformat(),
                "migrations": sorted(".".join(key) for key in schema.known()),
                "columns": columns,
                "members": members,
            }
            _add(tar, {}, "manifest.json", io.BytesIO(json.dumps(manifest).encode()))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def check(source: Path) -> Manifest:
    """The manifest of a backup that is whole, every byte read. Raises BackupError."""
    found: dict[str, list[Any]] = {}
    manifest: Manifest | None = None
    try:
        with gzip.open(source) as whole, tarfile.open(fileobj=whole, mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None:
                    raise BackupError(f"{source} holds something else than files ({member.name}); nothing was changed.")
                if member.name == "manifest.json":
                    manifest = json.load(file)
                else:
                    found[member.name] = [hashlib.file_digest(file, "sha256").hexdigest(), member.size]  # type: ignore[arg-type]
            while whole.read(1 << 20):
                continue  # the checksum of the whole stands at its very end
    except FileNotFoundError:
        raise BackupError(f"There is no file {source}.") from None
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, OSError, ValueError) as error:
        raise BackupError(f"{source} is cut or damaged ({error}); nothing was changed.") from error
    if manifest is None or manifest.get("format") != FORMAT or manifest["members"] != found:
        raise BackupError(f"{source} is cut, damaged or no backup of this site; nothing was changed.")
    return manifest


def restore(source: Path) -> Manifest:
    """Brings a checked backup into an empty, migrated database and the artifact storage. Raises BackupError."""
    manifest = check(source)
    if manifest["migrations"] != sorted(".".join(key) for key in schema.known()):
        raise BackupError(
            f"The backup is of version {manifest['version']} with other migrations. Install that version, restore, "
            "then install this one and run `manage.py migrate`. Nothing was changed."
        )
    if filled := [m._meta.label for m in tables() if not _is_made_by_migrate(m) and m._base_manager.exists()]:
        raise BackupError(
            f"The database is not empty ({', '.join(filled[:3])}). Restore into a new GYEORU_HOME or a new database, "
            "after `manage.py migrate`. Nothing was changed."
        )
    with tarfile.open(source, "r:gz") as tar, transaction.atomic():
        for model in reversed(tables()):
            if _is_made_by_migrate(model):
                model._base_manager.all().delete()
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            kind, _, name = member.name.partition("/")
            if kind == "rows":
                _insert(apps.get_model(name.removesuffix(".jsonl")), manifest["columns"], file)
            elif kind == "artifacts" and not default_storage.exists(name):
                default_storage.save(name, File(file))
        connection.check_constraints()
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), tables()):
                cursor.execute(statement)
    return manifest


def stored_files(folder: str = "") -> Iterator[str]:
    """The names of all files in the artifact storage."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(files):
        yield f"{folder}/{name}".lstrip("/")
    for name in sorted(folders):
        yield from stored_files(f"{folder}/{name}".lstrip("/"))


@contextmanager
def _moment() -> Iterator[None]:
    """All reads see the same moment, and nobody has to wait with writing."""
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        # Django's own transactions take SQLite's write lock at once; a deferred one only reads its snapshot.
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


@contextmanager
def _rows_file(model: type[models.Model]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        names = [field.attname for field in model._meta.concrete_fields]
        rows = model._base_manager.order_by("pk").values_list(*names)
        for row in rows.iterator(chunk_size=BATCH):
            file.write(json.dumps([_encoded(value) for value in row], ensure_ascii=False).encode() + b"\n")
        yield file


def _encoded(value: Any) -> Any:
    """A column as JSON; `_decoded` makes it what it was."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | timedelta) else value


def _decoded(field: models.Field[Any, Any], value: Any) -> Any:
    if value is None or isinstance(field, models.JSONField):
        return value
    return field.to_python(value)


def _insert(model: type[models.Model], columns: dict[str, list[str]], file: IO[bytes]) -> None:
    """The rows as they were: nothing that saving would set anew is set anew."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    chosen = [fields[name] for name in columns[model._meta.label_lower]]
    lines: Iterable[bytes] = iter(file)
    size = max(1, min(BATCH, connection.ops.bulk_batch_size(chosen, [None] * BATCH)))
    while batch := list(islice(lines, size)):
        rows = [
            model(**{f.attname: _decoded(f, v) for f, v in zip(chosen, json.loads(line), strict=True)})
            for line in batch
        ]
        model._base_manager.all()._insert(rows, fields=chosen, raw=True, using="default")  # type: ignore[attr-defined]


def _is_made_by_migrate(model: type[models.Model]) -> bool:
    return model._meta.label_lower in ("contenttypes.contenttype", "auth.permission")


def _add(tar: tarfile.TarFile, members: dict[str, list[Any]], name: str, file: IO[bytes]) -> None:
    """One member, with its sha256 and size noted."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    members[name] = [hashlib.file_digest(file, "sha256").hexdigest(), size]  # type: ignore[arg-type]
    file.seek(0)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    tar.addfile(entry, file)
