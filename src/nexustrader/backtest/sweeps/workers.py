"""Who does the runs of a sweep: processes on this machine, or those of a cluster, through joblib's backends."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from nexustrader.backtest.sweeps.space import Value
from nexustrader.backtest.sweeps.trial import Build, Trial, Window, key_of, run_trial
from nexustrader.error import EngineBuildError

LOST = "the process that ran it has died; run the program alone with these parameters to see why"
PACKAGES: Mapping[str, str] = {"dask": "distributed", "ray": "ray"}  # by the name of the cluster

RUNS_PER_ROUND = 4  # of each job, where results come back together

Point = tuple[dict[str, Value], Window]


class Workers(msgspec.Struct, frozen=True):
    """`jobs` at a time (0: one a core). `cluster`: dask or ray, or one of them with an address, as dask=tcp://host:8786.

    Raises EngineBuildError for a cluster that is not known, or whose package is not installed.
    """

    jobs: int = 0
    cluster: str | None = None

    def run(self, build: Build, points: Sequence[Point]) -> Iterator[Trial]:
        """A trial for each point, as they come. One whose process dies costs no other."""
        with self._backend():
            left = {key_of(*point): point for point in points}
            yield from self._together(build, left)
            for point in left.values():  # a process has died meanwhile: each that is left gets one of its own
                yield from self._alone(build, point)

    def _together(self, build: Build, left: dict[str, Point]) -> Iterator[Trial]:
        """Take from `left` what comes to an end."""
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        try:
            for trial in self._all(build, list(left.values())):
                del left[trial.key]
                yield trial
        except TerminatedWorkerError:
            return

    def _alone(self, build: Build, point: Point) -> Iterator[Trial]:
        left = {key_of(*point): point}
        yield from self._together(build, left)
        if left:
            params, window = point
            yield Trial(params=params, window=window, error=LOST)

    def _all(self, build: Build, points: list[Point]) -> Iterator[Trial]:
        from joblib import Parallel, delayed, effective_n_jobs

        # A process of its own even for one point: the program may end the process that it runs in.
        jobs = self.jobs or -1
        calls = [delayed(run_trial)(build, params, window) for params, window in points]
        if self._kind != "ray":
            yield from Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")(calls)
            return
        # Ray's backend gives results back only together: round by round, so that each round is kept.
        together = effective_n_jobs(jobs) * RUNS_PER_ROUND
        for begin in range(0, len(calls), together):
            yield from Parallel(n_jobs=jobs, batch_size=1)(calls[begin : begin + together])

    @property
    def _kind(self) -> str:
        return (self.cluster or "").partition("=")[0]

    def _backend(self) -> AbstractContextManager[Any]:
        if self.cluster is None:
            return self._processes()
        name, address = self._kind, self.cluster.partition("=")[2]
        package = PACKAGES.get(name)
        if package is None:
            raise EngineBuildError(f"cluster {self.cluster!r} is not known; use {' or '.join(PACKAGES)}")
        if importlib.util.find_spec(package) is None:
            raise EngineBuildError(f"{name} is not installed; pip install {package}")
        return _dask(address) if name == "dask" else _ray(address)

    def _processes(self) -> AbstractContextManager[Any]:
        from joblib import parallel_config

        config: AbstractContextManager[Any] = parallel_config(
            "loky", initializer=warnings.simplefilter, initargs=("ignore",)
        )  # each would say once that no keys are stored
        return config


@contextlib.contextmanager
def _dask(address: str) -> Iterator[None]:
    from distributed import Client
    from joblib import parallel_config

    connect: Any = Client  # it has no types
    with connect(address or None) as client, parallel_config("dask", client=client):
        yield


@contextlib.contextmanager
def _ray(address: str) -> Iterator[None]:
    import ray
    from joblib import parallel_config
    from ray.util.joblib import register_ray

    ray.init(address=address or None, ignore_reinit_error=True, log_to_driver=False)
    register_ray()
    with parallel_config("ray"):
        yield
