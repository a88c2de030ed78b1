"""The ASGI entry: gunicorn serves `config.asgi:application` with its native asgi worker."""

from __future__ import annotations

import os
import sys
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# While a thread renders or writes rows, the loop gives the interpreter up at every packet and gets it back only after
# this long; Python's 5 ms would hold every stream back.
sys.setswitchinterval(0.0005)

# WhiteNoise reads its small files synchronously; Django says so once per file.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

django_application = get_asgi_application()

from arena.stream_door import StreamDoor  # noqa: E402 - needs the apps that the line above loads
from arena.vote_door import VoteDoor  # noqa: E402
from leaderboard.front_door import FrontDoor  # noqa: E402

application = StreamDoor(VoteDoor(FrontDoor(django_application)))
