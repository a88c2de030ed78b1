"""Where imported answers and judgments are put: a run per model and mode, a conversation per question of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils import timezone

from judging.models import Answer, Question, QuestionSet
from runners import catalog, judging_phase, runs
from runners.models import Conversation, EvaluationRun


@dataclass
class Shelf:
    """The imported runs of a set by model and mode, and the conversation of each of their questions."""

    question_set: QuestionSet
    source: str
    questions: dict[str, Question] = field(default_factory=dict)
    runs: dict[tuple[str, str], EvaluationRun] = field(default_factory=dict)
    conversations: dict[tuple[int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.questions = {question.key: question for question in self.question_set.questions.all()}

    def run_of(self, model: str, mode: str) -> EvaluationRun:
        """The imported run of a model in a mode; made when it is missing."""
        run = self.runs.get((model, mode))
        if run is not None:
            return run
        revision = catalog.register_imported([model])[model]
        suite, options = self.question_set.suite, {"mode": mode}
        run = EvaluationRun.objects.filter(revision=revision, suite=suite, is_imported=True, settings=options).first()
        if run is None:
            now = timezone.now()
            run = EvaluationRun.objects.create(
                revision=revision,
                suite=suite,
                status="finished",
                lane=judging_phase.LANE,
                fingerprint=runs.fingerprint(revision, suite, options),
                settings=options,
                is_imported=True,
                reason=f"imported from {self.source}",
                started_at=now,
                finished_at=now,
            )
        known = Answer.objects.filter(run=run).values_list("question__key", "conversation_id")
        self.conversations |= {(run.pk, key): conversation for key, conversation in known}
        self.runs[model, mode] = run
        return run

    def open(self, wanted: Iterable[tuple[EvaluationRun, str, str]]) -> None:
        """Conversations, still without a text, for (run, mode, question) where there is none yet."""
        missing = {(run.pk, key): (run, mode) for run, mode, key in wanted if (run.pk, key) not in self.conversations}
        made = Conversation.objects.bulk_create(
            Conversation(
                revision_id=run.revision_id,
                run=run,
                item=f"{self.question_set.slug}/{key}",
                category=self.questions[key].category,
                mode=mode,
                is_recorded=True,
            )
            for (_, key), (run, mode) in missing.items()
        )
        Answer.objects.bulk_create(
            Answer(
                question=self.questions[key],
                revision_id=run.revision_id,
                conversation=conversation,
                run=run,
                mode=mode,
            )
            for ((_, key), (run, mode)), conversation in zip(missing.items(), made, strict=True)
        )
        self.conversations |= {place: made[number].pk for number, place in enumerate(missing)}
