"""RQ's worker with its traps closed (docs/running.md): one lane, JSON hints, and a horse that dies with it."""

from __future__ import annotations

import logging
import os
import signal
import time
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connections
from redis.exceptions import RedisError
from rq import Worker as RQWorker
from rq.job import Job
from rq.serializers import JSONSerializer

import runners
from runners import clock, machines, runs, schema
from runners.adapters.gpu import GpuMeter
from runners.adapters.process import die_with_parent
from runners.adapters.queue import HintJob, connection, line, queue
from runners.models import Worker

log = logging.getLogger(__name__)
REPORT_SECONDS = 5.0
# RQ waits worker_ttl - 15 s for a job at a time: short, so that this process reports itself while idle.
WORKER_TTL = 20


class FleetWorker(RQWorker):
    """A worker of one lane that reports itself to the database and outlives a Redis that is away."""

    job_class = HintJob
    fleet_name = ""
    meter: GpuMeter | None = None
    _reported = 0.0
    _told = ""

    def main_work_horse(self, job: Job, queue: Any) -> None:
        die_with_parent()
        os.environ["GYEORU_WORKER"] = self.fleet_name
        self.meter = None  # what nvidia-smi answers belongs to the parent
        super().main_work_horse(job, queue)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        self.report()
        try:
            super().heartbeat(timeout, pipeline)
        except (RedisError, OSError):
            log.warning("Redis did not take the worker's heartbeat; going on")

    def maintain_heartbeats(self, job: Job) -> None:
        # RQ's parent process ends itself when Redis is away at this point and leaves the horse behind.
        self.report()
        try:
            super().maintain_heartbeats(job)
        except (RedisError, OSError):
            log.warning("Redis did not take the job's heartbeat; going on")

    def set_current_job_working_time(self, *args: Any, **options: Any) -> None:
        try:
            super().set_current_job_working_time(*args, **options)
        except (RedisError, OSError):
            log.warning("Redis did not take the job's working time; going on")

    def request_stop(self, signum: int, frame: Any) -> None:
        """One SIGTERM drains: the running attempt gives its run back, then the worker leaves."""
        if self.horse_pid:
            try:
                os.kill(self.horse_pid, signal.SIGUSR1)
            except ProcessLookupError:
                log.debug("the horse was gone already")
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        """RQ calls no failure callback for a killed horse: its run goes back in line at once."""
        try:
            runs.abandoned_by(self.fleet_name, f"The process of {self.fleet_name} was killed (status {ret_val}).")
        except DatabaseError:
            log.warning("the database did not take the end of a killed run; its lease will end it")
        finally:
            connections.close_all()

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """A worker that was drained, or is not of the database's version, takes no hint until that has changed."""
        while self.stands_aside():
            self.heartbeat()
            time.sleep(1)
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def stands_aside(self) -> bool:
        """Whether staff drained this worker or its version does not fit; a database that is away stops nobody."""
        try:
            problem = schema.mismatch()
            if problem != self._told:
                self._told = problem
                log.error("%s takes no run: %s", self.fleet_name, problem) if problem else log.info("versions fit")
                Worker.objects.filter(name=self.fleet_name).update(note=problem[:300])
            return bool(problem) or Worker.objects.filter(name=self.fleet_name, is_draining=True).exists()
        except DatabaseError:
            return False
        finally:
            connections.close_all()

    def report(self) -> None:
        """Writes this worker's sign of life, and leaves no connection open for the fork to share."""
        if time.monotonic() - self._reported < REPORT_SECONDS:
            return
        self._reported = time.monotonic()
        try:
            gpus = {"gpus": self.meter.read()} if self.meter else {}
            Worker.objects.filter(name=self.fleet_name).update(heartbeat_at=clock.now(), **gpus)
        except DatabaseError:
            log.warning("the database did not take the worker's heartbeat; going on")
        finally:
            connections.close_all()


def start(lane: str, *, gpu: str = "", burst: bool = False) -> None:
    """Works on a lane until SIGTERM. Waits for Redis, and comes back when Redis does."""
    without_pool()
    schema.known()
    host = machines.here()
    name = f"{lane}-{host}-{os.getpid()}"
    Worker.objects.filter(host=host, lane=lane, heartbeat_at__lt=clock.now() - timedelta(minutes=10)).delete()
    Worker.objects.update_or_create(
        name=name,
        defaults={"lane": lane, "host": host, "pid": os.getpid(), "gpu": gpu, "version": runners.VERSION},
    )
    connections.close_all()
    try:
        while _work(lane, name, burst=burst) and not burst:
            time.sleep(1)
    finally:
        Worker.objects.filter(name=name).delete()
        connections.close_all()


def without_pool() -> None:
    """Gives every process a connection of its own: a pool survives `close_all`, and forks would share its sockets."""
    for known in connections.all(initialized_only=True):
        known.close()
        if hasattr(known, "close_pool"):
            known.close_pool()
    for database in connections.settings.values():
        database.get("OPTIONS", {}).pop("pool", None)


def _work(lane: str, name: str, *, burst: bool) -> bool:
    """One life of the RQ worker; True when it lost Redis and should come back."""
    # Blocking reads wait up to WORKER_TTL - 15 s, so the socket must be more patient than that.
    redis = connection(timeout=WORKER_TTL)
    worker = FleetWorker(
        # The machine's own line first: nobody else can take what waits there.
        [queue(line(lane, machines.here()), redis), queue(lane, redis)],
        name=f"{name}-{time.time_ns()}",
        connection=redis,
        job_class=HintJob,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL,
        job_monitoring_interval=5,
        maintenance_interval=60,
    )
    worker.fleet_name, worker.meter = name, GpuMeter() if lane == "gpu" else None
    try:
        worker.work(burst=burst, logging_level="WARNING")
    except (RedisError, OSError) as error:
        log.warning("worker %s lost Redis: %s", name, error)
        return True
    return False
