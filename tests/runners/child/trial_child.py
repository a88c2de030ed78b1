"""`python -m tests.runners.child.trial_child [SECONDS]`: the real child with the tiny tasks, answers SECONDS
apart.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from runners.child import __main__ as child
from runners.child import players
from tests.runners.child import tiny


class Slow(players.Constant):
    """Answers one request after another and tells its cache hook, as lm-eval's local models do."""

    pause = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0

    def generate_until(self, requests: list[Any]) -> list[str]:
        answers = []
        for request in requests:
            time.sleep(self.pause)
            answers.append(self.reply(players.last_turn(request.args[0])))
            self.cache_hook.add_partial("generate_until", request.args, answers[-1])
            sys.stderr.write("answered\n")
        return answers


if __name__ == "__main__":
    if Slow.pause:
        players.PLAYERS["reference/constant"] = Slow
        players.CHUNK = None
    os._exit(child.main(tiny.load))
