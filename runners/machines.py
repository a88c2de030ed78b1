"""The machines of the fleet as their workers report themselves, and which of them this process is on."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone

from runners.models import Worker
from runners.waiting import LIVE


@dataclass(frozen=True)
class Machine:
    """A host with a worker that takes runs. `gpus`: their names as told by the driver, or by `work --gpu`."""

    host: str
    gpus: tuple[str, ...]

    @property
    def gpu(self) -> str:
        """Such as "NVIDIA H200 × 2"; nothing where none is known."""
        return ", ".join(name if n == 1 else f"{name} × {n}" for name, n in sorted(Counter(self.gpus).items()))


def here() -> str:
    """The name under which this machine's workers report themselves."""
    return socket.gethostname()


def live(lanes: Collection[str]) -> list[Machine]:
    """Machines with a worker in one of the lanes that was heard lately and is not drained, by name. One query."""
    heard = Worker.objects.filter(lane__in=lanes, is_draining=False, heartbeat_at__gt=timezone.now() - LIVE)
    gpus: dict[str, dict[str, str]] = {}
    for worker in heard.order_by("host", "name"):
        known = gpus.setdefault(worker.host, {})
        # Workers of one machine may share a GPU, which is told by its index then.
        known |= {gpu["index"]: gpu["name"] for gpu in worker.gpus or ()}
        if worker.gpu and not worker.gpus:
            known[worker.name] = worker.gpu
    return [Machine(host, tuple(names.values())) for host, names in sorted(gpus.items())]
