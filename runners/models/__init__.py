"""Evidence: what can be run, what was run, what came out."""

from runners.models.alarms import Alarm
from runners.models.benchmarks import Benchmark, Suite, SuiteTask, Task
from runners.models.conversations import Conversation, Message
from runners.models.language_models import Endpoint, LanguageModel, ModelRevision, Price
from runners.models.overrides import Override
from runners.models.results import Artifact, Sample, TaskResult
from runners.models.runs import ACTIVE, EvaluationRun, Generation, Worker

__all__ = [
    "ACTIVE",
    "Alarm",
    "Artifact",
    "Benchmark",
    "Conversation",
    "Endpoint",
    "EvaluationRun",
    "Generation",
    "LanguageModel",
    "Message",
    "ModelRevision",
    "Override",
    "Price",
    "Sample",
    "Suite",
    "SuiteTask",
    "Task",
    "TaskResult",
    "Worker",
]
