"""Reference players in conversations: they answer at once, know nothing, and cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Messages = Sequence[Mapping[str, str]]
# A player's answer to a conversation; None where it has none recorded for this question.
Player = Callable[[Messages], str | None]
CONSTANT = (
    "질문 주셔서 감사합니다. 여러 면에서 생각해 볼 수 있는 문제이며, 상황과 목적에 따라 알맞은 답이 달라질 수 "
    "있습니다. 먼저 핵심을 정리하고 차근차근 살펴보시기를 권합니다. 도움이 되었기를 바랍니다."
)
# By the revision's api_name; other floors add players with recorded answers when they start.
PLAYERS: dict[str, Player] = {
    "constant": lambda messages: CONSTANT,
    "echo": lambda messages: messages[-1]["content"],
}
