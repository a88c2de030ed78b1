"""The only door to Redis and RQ. The queue is a hint: a lost one is given again, a double one does nothing.

Only the dispatcher and the workers come here; a request of a visitor never does, so a Redis that is down or hangs
costs no page anything.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

JOB = "runners.jobs.execute_run"
ALLOWED = frozenset({JOB, "judging.jobs.judge", "judging.jobs.judge_battles"})


class QueueUnreachable(Exception):
    """Redis did not take the hint; the row in the database stays and the hint is given again."""


class HintJob(Job):
    """A job that may call the few functions of `ALLOWED`, whatever somebody wrote into Redis."""

    @property
    def func(self) -> Any:
        if self.func_name not in ALLOWED:
            raise PermissionError(f"{self.func_name} is not a job of this site")
        return super().func


def connection(timeout: float = 2.0) -> Redis:
    """A connection that gives up after `timeout` seconds; redis-py's default blocks a minute on a hung server."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


def queue(line: str, redis: Redis) -> Queue:
    """The queue of a line: JSON payloads of one id, never pickle."""
    return Queue(line, connection=redis, serializer=JSONSerializer, job_class=HintJob)


def line(lane: str, host: str = "") -> str:
    """The name of the lane's queue, or of that for runs which only the machine `host` may take."""
    return f"{lane}@{host}" if host else lane


def hint(line: str, row_id: int, *, job: str = JOB) -> None:
    """Tells the workers of a line that row `row_id` waits. Raises QueueUnreachable."""
    lane = line.partition("@")[0]
    try:
        with connection() as redis:
            queue(line, redis).enqueue(
                job,
                row_id,
                job_timeout=settings.RQ_QUEUES[lane]["DEFAULT_TIMEOUT"],
                result_ttl=0,
                failure_ttl=3600,
            )
    except (RedisError, OSError) as error:
        raise QueueUnreachable(str(error)) from error


def length(line: str) -> int:
    """Hints that lie in a line's queue. Raises QueueUnreachable."""
    try:
        with connection() as redis:
            return int(queue(line, redis).count)
    except (RedisError, OSError) as error:
        raise QueueUnreachable(str(error)) from error


def eviction_policy() -> str:
    """Redis' maxmemory-policy. Raises QueueUnreachable."""
    try:
        with connection() as redis:
            return str(redis.config_get("maxmemory-policy").get("maxmemory-policy", ""))
    except (RedisError, OSError) as error:
        raise QueueUnreachable(str(error)) from error
