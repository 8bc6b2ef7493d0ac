"""Walk-forward: parameters are chosen on one part of the data and judged on the next, which they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nexustrader.backtest.sweeps.sweep import Bench, Sweep
from nexustrader.backtest.sweeps.trial import Trial, Window
from nexustrader.error import DataError

TRAIN_SHARE = 3.0  # a training part is so many times as long as the test part behind it


class Fold(NamedTuple):
    """A part to choose on and the part behind it to judge on."""

    train: Window
    test: Window


class Step(NamedTuple):
    """One fold with what was found: the sweep over its training part, and the best of it on the test part, if any."""

    fold: Fold
    trained: Sweep
    tested: Trial | None


class WalkForward(NamedTuple):
    """The steps in order of time."""

    steps: tuple[Step, ...]
    objective: str

    def tested(self) -> list[Trial]:
        """The runs on unseen data, those that failed included."""
        return [step.tested for step in self.steps if step.tested is not None]


def folds_of(
    start_ms: int, end_ms: int, count: int, *, train_share: float = TRAIN_SHARE, is_anchored: bool = False
) -> list[Fold]:
    """Equal test parts behind one another up to the end, each behind a training part of `train_share` times its length.

    `is_anchored`: every training part begins with the data. Raises DataError when the period is too short.
    """
    length_ms = int((end_ms - start_ms) / (train_share + count)) if count > 0 and train_share > 0 else 0
    if length_ms < 1:
        raise DataError(
            f"the period of {end_ms - start_ms} ms cannot be cut into {count} test parts, each behind a training part "
            f"{train_share:g} times as long; give more data, or fewer folds"
        )
    first_ms = end_ms - count * length_ms
    begins = [first_ms + number * length_ms for number in range(count)]
    train_ms = int(train_share * length_ms)
    return [
        Fold(
            Window(start_ms if is_anchored else max(start_ms, at - train_ms), at), Window(at, at + length_ms)
        )
        for at in begins
    ]


def walk_forward(
    bench: Bench, folds: list[Fold], choose: Callable[[Bench, Window], Sweep], objective: str
) -> WalkForward:
    """`choose` sweeps over each training part; the best of it runs on the test part."""
    steps = []
    for fold in folds:
        trained = choose(bench, fold.train)
        best = trained.best
        tested = None if best is None else bench.run([(dict(best.params), fold.test)])[0]
        steps.append(Step(fold, trained, tested))
    return WalkForward(tuple(steps), objective)
