"""Turns of conversations through a transformers model: its own chat template, real token counts, draws by request.

The sampling settings of the model's own generation_config.json are not used (vLLM is started the same way): requests
say what they want. A temperature below 1e-4 is greedy, as in FastChat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runners.child.conversing import Ask, Line, Refused, Said, Server
from runners.child.errors import ChildError
from runners.child.hf import Ladder, out_of_memory

GREEDY_BELOW = 1e-4


def serve(name: str, ladder: Ladder, told: Callable[[], None]) -> Server:
    """The model as a chat server. `told` is called when the batch size had to change. Raises ChildError."""
    if not ladder.tokenizer.chat_template:
        raise no_template(name)
    return Server(name, Line(Talker(ladder, told), lambda: int(ladder.batch_size)))


def no_template(name: str) -> ChildError:
    return ChildError(
        "no_chat_template",
        f"{name} has no chat template, so that it is not known how a conversation is put to it. Choose suites of "
        "single questions for a base model; an instruction-tuned model should carry chat_template in its tokenizer.",
        permanent=True,
    )


class Talker:
    """Answers batches of turns. Goes down the out-of-memory ladder of the model it is given."""

    def __init__(self, ladder: Ladder, told: Callable[[], None]) -> None:
        self.ladder, self.told = ladder, told
        own = ladder.model.generation_config.eos_token_id
        known = own if isinstance(own, list) else [own]
        ends = {token for token in [*known, ladder.tokenizer.eos_token_id] if token is not None}
        self.ends: list[int] = sorted(ends)

    def __call__(self, asks: Sequence[Ask]) -> list[Said | Refused]:
        """As many answers or refusals, in order. Raises TryAgain, ChildError("does_not_fit")."""
        prompts = [self._prompt(ask) for ask in asks]
        going = [at for at, prompt in enumerate(prompts) if not isinstance(prompt, Refused)]
        outcomes: list[Any] = list(prompts)
        if not going:
            return outcomes
        try:
            said = self._generate([asks[at] for at in going], [outcomes[at] for at in going])
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            said = None
        if said is None:
            # Outside of the handler: a traceback that is alive holds the tensors of the failed batch.
            self.ladder.step_down(self.told)
        else:
            for at, one in zip(going, said, strict=True):
                outcomes[at] = one
        return outcomes

    def _prompt(self, ask: Ask) -> list[int] | Refused:
        """The token ids of a conversation. Its template brings every special token that it needs."""
        try:
            text = self.ladder.apply_chat_template(list(ask.messages))
        except Exception as error:  # noqa: BLE001 - templates are programs of the model's makers
            return Refused(f"the model's chat template cannot take this conversation: {error}")
        ids: list[int] = self.ladder.tokenizer(text, add_special_tokens=False)["input_ids"]
        most = int(self.ladder.max_length)
        if len(ids) >= most:
            return Refused(f"the conversation has {len(ids)} tokens, and the model takes {most}; nothing was cut")
        return ids

    def _generate(self, asks: list[Ask], prompts: list[list[int]]) -> list[Said]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        lm, pad = self.ladder, self.ladder.tokenizer.pad_token_id
        limits = [min(ask.max_tokens, int(lm.max_length) - len(ids)) for ask, ids in zip(asks, prompts, strict=True)]
        width = max(map(len, prompts))
        padded = torch.tensor([[pad] * (width - len(ids)) + ids for ids in prompts], device=lm.device)
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=lm.device)
        config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            min_length=0,
            max_new_tokens=max(limits),
            eos_token_id=self.ends or None,
            pad_token_id=pad,
        )
        with torch.inference_mode():
            produced = lm.model.generate(
                input_ids=padded,
                attention_mask=mask,
                generation_config=config,
                logits_processor=LogitsProcessorList([Draws(asks, lm.device)]),
            )
        rows = produced[:, width:].tolist()
        return [self._said(*row) for row in zip(rows, limits, prompts, strict=True)]

    def _said(self, tokens: list[int], limit: int, prompt: list[int]) -> Said:
        tokens = tokens[:limit]
        ended = next((at for at, token in enumerate(tokens) if token in self.ends), None)
        kept = tokens if ended is None else tokens[:ended]
        text = self.ladder.tok_decode(kept)
        used = len(tokens) if ended is None else ended + 1
        return Said(text, "length" if ended is None else "stop", len(prompt), used)


class Draws:
    """Sampling as the largest of logits/temperature + Gumbel noise (Gumbel 1954), which draws from the softmax.

    Every row has a temperature and a stream of random numbers of its own, so that an answer does not depend on which
    other requests are in its batch.
    """

    def __init__(self, asks: Sequence[Ask], device: Any) -> None:
        import torch

        self.rows: list[tuple[int, float, Any]] = []
        for row, ask in enumerate(asks):
            if ask.temperature >= GREEDY_BELOW:
                stream = torch.Generator(device=device)
                if ask.seed is None:
                    stream.seed()
                else:
                    stream.manual_seed(ask.seed)
                self.rows.append((row, ask.temperature, stream))

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """scores: logits [batch, vocabulary]; the same shape comes back, to be maximised."""
        import torch

        if not self.rows:
            return scores
        drawn = scores.float().clone()
        for row, temperature, stream in self.rows:
            waits = torch.empty_like(drawn[row]).exponential_(generator=stream)
            drawn[row] = drawn[row] / temperature - waits.log()
        return drawn
