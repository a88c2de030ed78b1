"""`make run` once installed: seconds until the page answers and until the first live cell stands on it; memory."""

from __future__ import annotations

import re
import signal
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.site import Site, children_of


def page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ko/", timeout=5) as response:
            return response.read().decode()
    except OSError:
        return ""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        started = time.monotonic()
        serving = site.start("serve")
        try:
            site.wait_for("the page", lambda: page(site.port), 60)
            answered = time.monotonic() - started
            site.wait_for("a cell", lambda: "/samples/ko_basic_" in page(site.port), 120)
            first = time.monotonic() - started
            print(f"first start: page after {answered:.1f} s, first live cell after {first:.1f} s (goal ≤ 60)")
            print(f"  web processes {', '.join(f'{mb:.0f}' for mb in web_memory(serving.pid))} MB (goal ≤ 150 each)")
        finally:
            serving.send_signal(signal.SIGTERM)
            site.stop()


def web_memory(launcher: int) -> list[float]:
    """Resident memory in MB of each gunicorn worker below the launcher."""
    for pid in children_of(launcher):
        if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes():
            statuses = [Path(f"/proc/{worker}/status").read_text() for worker in children_of(pid)]
            return [int(match[1]) / 1024 for text in statuses if (match := re.search(r"VmRSS:\s+(\d+)", text))]
    return []


if __name__ == "__main__":
    main()
