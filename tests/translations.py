"""`python -m tests.translations [--check]`: the Korean catalogue from the sources, and whether it is complete.

Texts in the sources are English; locale/ko holds all of them in Korean, and the compiled catalogue is committed so that
a machine without gettext shows Korean. Needs GNU gettext (Debian: gettext).
"""

from __future__ import annotations

import ast
import gettext
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lanes import ROOT, Missing, install

PO = ROOT / "locale" / "ko" / "LC_MESSAGES" / "django.po"
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
IGNORED = [".venv*", "tests", "bench", "docs", "var", "node_modules"]


def extract() -> None:
    """Brings django.po up to date with the sources; translations stay."""
    command = [sys.executable, str(ROOT / "manage.py"), "makemessages", "-l", "ko", "--no-location", "--no-wrap", "-v0"]
    for pattern in IGNORED:
        command += ["-i", pattern]
    subprocess.run(command, cwd=ROOT, check=True)
    lines = PO.read_text().splitlines(keepends=True)
    # Dates in the head would change with every run.
    PO.write_text("".join(line for line in lines if not line.startswith('"POT-Creation-Date')))


def compiled(source: Path) -> dict[object, str]:
    """The catalogue that a .po file compiles to."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "django.mo"
        subprocess.run(["msgfmt", "--check-format", "-o", str(target), str(source)], check=True)
        return catalogue(target)


def catalogue(path: Path) -> dict[object, str]:
    """Message to translation of a compiled catalogue, without its head."""
    with path.open("rb") as file:
        messages = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    messages.pop("", None)
    return messages


def incomplete() -> list[str]:
    """Messages without a Korean text, or with one marked fuzzy."""
    out = ""
    for kind in ("--untranslated", "--only-fuzzy"):
        command = ["msgattrib", kind, "--no-obsolete", "--no-wrap", str(PO)]
        out += subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line[7:-1] for line in out.splitlines() if line.startswith("msgid ") and line != 'msgid ""']


def unseen(known: dict[object, str]) -> list[str]:
    """Texts in Python that gettext's own reader passes over, such as those inside f-strings."""
    found = []
    for app in ("arena", "config", "judging", "leaderboard", "runners"):
        for path in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in CALLS or not node.args:
                    continue
                text = getattr(node.args[0], "value", None)
                if isinstance(text, str) and text not in known:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: not in the catalogue: {text}")
    return found


def check() -> list[str]:
    """What is wrong with the catalogue; nothing when it is complete and compiled."""
    before = PO.read_text()
    try:
        extract()
        problems = [f"no Korean for: {text}" for text in incomplete()]
        known, wanted = catalogue(PO.with_suffix(".mo")), compiled(PO)
        problems += unseen(wanted)
    finally:
        PO.write_text(before)
    if known != wanted:
        problems.append("django.mo is not what django.po compiles to; run `make translations`")
    return problems


def main(arguments: list[str]) -> int:
    if not shutil.which("xgettext"):
        try:
            install("gettext")
        except Missing as missing:
            print(f"translations: skipped, {missing}")
            return 1 if os.environ.get("CI") else 0
    if "--check" in arguments:
        problems = check()
        print("\n".join(problems) or "translations: complete")
        return 1 if problems else 0
    PO.parent.mkdir(parents=True, exist_ok=True)
    extract()
    subprocess.run(["msgfmt", "--check-format", "-o", str(PO.with_suffix(".mo")), str(PO)], check=True)
    for text in incomplete():
        print(f"no Korean yet: {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
