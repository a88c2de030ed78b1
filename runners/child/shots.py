"""Tasks whose examples must come from the asked item's own subject."""

from __future__ import annotations

from typing import Any

from lm_eval.api.task import ConfigurableTask


class SubjectTask(ConfigurableTask):  # type: ignore[misc]
    """A task over several subjects that draws its shots from the subject of the item, as one task a subject would."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})
        self._examples: dict[str, list[dict[str, Any]]] = {}
        for doc in self.sampler.df:
            self._examples.setdefault(doc["subject"], []).append(doc)

    def fewshot_context(self, doc: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        self.sampler.replace_df(self._examples.get(doc["subject"], []))
        return super().fewshot_context(doc, *args, **kwargs)
