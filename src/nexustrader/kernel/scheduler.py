"""Jobs on the engine's clock and thread: interval, cron and date.

APScheduler's triggers do the calendar arithmetic, as pure functions of datetimes that come from our clock;
its schedulers, executors and own readings of the time are not used. Hence a job runs where strategy code
runs, and the same under virtual time.

Naive datetimes and cron fields are in the clock's timezone unless the job has a `timezone`: local time
live, as APScheduler has it, and UTC under virtual time. Around a change of summer time a cron job follows
its timezone (an hour that does not exist is skipped or moved as APScheduler does); an interval is always
elapsed time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from nexustrader.kernel.clock import NS_PER_S, EngineClock, ReportError, datetime_to_ns
from nexustrader.kernel.entropy import Entropy
from nexustrader.kernel.log import get_logger
from nexustrader.kernel.ports import TimerHandle

_log = get_logger("Scheduler")

Spawn = Callable[[Coroutine[Any, Any, Any], str], object]

LATE_START_MAX = timedelta(seconds=1)  # a date job added this little after its date still runs
_RESOLUTION = timedelta(microseconds=1)  # "after x" is "from x + _RESOLUTION on"


class Scheduler:
    """Runs jobs on `clock`, from `start` to `stop`.

    Sync functions run on the engine's thread; coroutines are given to `spawn(coroutine, name)`. Exceptions of
    both go to `on_error(job name, exception)` and the job goes on. Runs missed while the thread was blocked
    are coalesced into one, however late.
    """

    def __init__(
        self,
        clock: EngineClock,
        on_error: ReportError,
        spawn: Spawn | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self.clock = clock
        self.on_error = on_error
        self.spawn = spawn
        self.entropy = entropy or Entropy()
        self._jobs: dict[str, Job] = {}
        self._added_count = 0
        self._is_running = False

    @property
    def jobs(self) -> list[Job]:
        """Jobs that are not cancelled and will still run, oldest first."""
        return list(self._jobs.values())

    def add(
        self,
        func: Callable[..., Any],
        trigger: str | BaseTrigger = "interval",
        *,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 — APScheduler's name, which programs use
        name: str | None = None,
        jitter: float | None = None,
        max_instances: int = 1,
        replace_existing: bool = False,
        **trigger_args: Any,
    ) -> Job:
        """Schedules `func(*args, **kwargs)`; before `start`, the job begins at `start`.

        `trigger` is "interval" (weeks, days, hours, minutes, seconds, start_date, end_date), "cron" (year,
        month, day, week, day_of_week, hour, minute, second, start_date, end_date) or "date" (run_date); each
        takes `timezone`. An interval without `start_date` runs first one interval from its beginning.
        `jitter`: each run comes later by a random part of so many seconds. `max_instances`: how many runs of
        an async function may overlap; further ones are left out.

        Raises ValueError for an unknown trigger, unusable values or an `id` in use (unless
        `replace_existing`), TypeError for arguments that the trigger does not have.
        """
        self._added_count += 1
        job_id = id or f"job-{self._added_count}"
        job = Job(
            scheduler=self,
            job_id=job_id,
            name=name or str(getattr(func, "__qualname__", func)),
            call=lambda: func(*args, **(kwargs or {})),
            build=lambda: build_trigger(trigger, trigger_args, self.clock.utc_now(), self.clock.timezone),
            jitter_s=jitter or 0.0,
            max_instances=max_instances,
        )
        if job_id in self._jobs:
            if not replace_existing:
                raise ValueError(f"job id {job_id!r} is in use; choose another or pass replace_existing=True")
            self._jobs[job_id].cancel()
        self._jobs[job_id] = job
        if self._is_running:
            job.begin()
        return job

    def remove(self, job: Job) -> None:
        """Forgets `job`, which will not run again."""
        if self._jobs.get(job.id) is job:
            del self._jobs[job.id]

    def start(self) -> None:
        """Begins all jobs. Does nothing when started."""
        if not self._is_running:
            self._is_running = True
            for job in self.jobs:
                job.begin()

    def stop(self) -> None:
        """No run begins after this. The jobs are kept and begin anew at the next `start`."""
        self._is_running = False
        for job in self.jobs:
            job.pause()


class Job:
    """One scheduled function. `next_run_time` is None before the scheduler starts and after the last run."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        job_id: str,
        name: str,
        call: Callable[[], Any],
        build: Callable[[], BaseTrigger],
        jitter_s: float,
        max_instances: int,
    ) -> None:
        self.id = job_id
        self.name = name
        self.next_run_time: datetime | None = None
        self.skipped_count = 0  # runs left out because `max_instances` earlier ones had not ended
        self._scheduler = scheduler
        self._call = call
        self._build = build
        self._trigger = build()  # at once, so that unusable arguments are told where they are written
        self._jitter_s = jitter_s
        self._max_instances = max_instances
        self._running_count = 0
        self._handle: TimerHandle | None = None

    def cancel(self) -> None:
        """No run begins after this. May come at any time, within the job itself, and twice."""
        self.pause()
        self._scheduler.remove(self)

    def begin(self) -> None:
        """Computes the first run from the time it is now."""
        self._trigger = self._build()
        now = self._scheduler.clock.utc_now()
        first = self._trigger.get_next_fire_time(None, now)
        if first is not None and first < now - LATE_START_MAX:
            _log.warning(f"job {self.name!r} was to run at {first}, which is past: it will not run")
            first = None
        self._arm(first)

    def pause(self) -> None:
        """Takes the next run back."""
        self.next_run_time = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, when: datetime | None) -> None:
        self.next_run_time = when
        if when is None:
            self._scheduler.remove(self)
            return
        delay_ns = int(self._scheduler.entropy.random() * self._jitter_s * NS_PER_S) if self._jitter_s else 0
        clock = self._scheduler.clock
        self._handle = clock.call_at(datetime_to_ns(when, clock.timezone) + delay_ns, self._fire)

    def _fire(self) -> None:
        # Armed again before the call, so that the function itself may cancel its job.
        self._arm(self._following(self._scheduler.clock.utc_now()))
        if self._running_count >= self._max_instances:
            self.skipped_count += 1
            _log.warning(f"job {self.name!r} is left out once: its earlier run has not ended")
            return
        try:
            result = self._call()
            if inspect.iscoroutine(result):
                self._spawn(result)
        except Exception as exc:  # tidy: ok — user code; reported, and the job goes on
            self._scheduler.on_error(self.name, exc)

    def _following(self, now: datetime) -> datetime | None:
        """The first run after `now`: those in between are the ones that coalesce into the run at hand."""
        following: datetime | None = self._trigger.get_next_fire_time(self.next_run_time, now)
        if following is not None and following <= now:
            following = self._trigger.get_next_fire_time(None, now + _RESOLUTION)
        return following

    def _spawn(self, coro: Coroutine[Any, Any, Any]) -> None:
        if self._scheduler.spawn is None:
            coro.close()
            raise RuntimeError(f"job {self.name!r} is async and this scheduler was given no spawn function")
        self._running_count += 1
        self._scheduler.spawn(self._await(coro), self.name)

    async def _await(self, coro: Coroutine[Any, Any, Any]) -> None:
        try:
            await coro
        except Exception as exc:  # tidy: ok — user code; reported, and the job goes on
            self._scheduler.on_error(self.name, exc)
        finally:
            self._running_count -= 1


def build_trigger(
    trigger: str | BaseTrigger, trigger_args: Mapping[str, Any], now: datetime, timezone: tzinfo
) -> BaseTrigger:
    """The trigger that reads no clock: every default that APScheduler takes from the system comes from us."""
    if isinstance(trigger, BaseTrigger):
        if trigger_args:
            raise TypeError(
                f"a trigger object takes no further arguments, but was given {sorted(trigger_args)}"
            )
        return trigger
    given = {key: value for key, value in trigger_args.items() if value is not None}
    args = {"timezone": timezone, **given}
    if trigger == "cron":
        return CronTrigger(**args)
    if trigger == "date":
        return DateTrigger(**{"run_date": now, **args})
    if trigger == "interval":
        built = IntervalTrigger(**{"start_date": now, **args})
        if built.interval <= timedelta(0):
            raise ValueError(f"the interval is {built.interval}; it must be positive")
        if "start_date" not in given:
            built.start_date = now + built.interval
        return built
    raise ValueError(f"unknown trigger {trigger!r}; use 'interval', 'cron' or 'date'")
