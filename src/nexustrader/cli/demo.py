"""`nexustrader demo`: an emulated Binance, an example strategy on it, and a proof that both keep the same books."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nexustrader.cli.ledger import ask
from nexustrader.cli.load import load_program
from nexustrader.cli.run import emulated
from nexustrader.constants import settings
from nexustrader.emulator.process import EmulatorProcess
from nexustrader.engine import Engine
from nexustrader.error import DataError, EngineBuildError
from nexustrader.testing.comparison import Comparison, compare

ACCOUNT = "binance:USD_M_FUTURE_TESTNET"
MARKET = ("usdm", "BTCUSDT")
SUFFIX = "-PERP.BINANCE"
SECONDS = 30.0
POLL_S = 0.25
SETTLE_S = 1.0  # after the recording's last line: replies and fills under way may arrive

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def example(name: str) -> Path:
    """An example program: beside a checkout, or as installed with the package."""
    package = Path(str(files("nexustrader")))
    for folder in (package.parents[1] / "examples", package / "_examples"):
        if (folder / name).is_file():
            return folder / name
    raise EngineBuildError(f"the example {name} is not installed; run the demo from a checkout")


@app.command("demo")
def demo(
    seconds: Annotated[
        float, typer.Option(min=1, help="How long to trade on the synthetic market.")
    ] = SECONDS,
    data: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Recorded frames or candles to trade on instead."),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(min=0, help="How many times faster than recorded; 3000 plays a day of candles in 29 s."),
    ] = 12.0,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 1,
) -> None:
    """Run an example strategy against an emulated Binance and compare the books. Needs no keys and no internet."""
    console = Console()
    market = f"the recording {data.name} at {speed:g}x" if data else f"a synthetic market (seed {seed})"
    console.print(f"[bold]nexustrader demo[/]: a market maker on an emulated Binance, {market}")
    program = example("market_maker.py")
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(EmulatorProcess.start("binance", data=data, speed=speed, seed=seed))
        stack.enter_context(emulated("binance", emulator))
        if data:
            require_market(ask(emulator, "/emulator/status"), data)
        os.environ["NEXUS_DEMO__SECONDS"] = "0" if data else str(seconds)
        settings.reload()
        config = load_program(program)
        config.log_config.level_stdout = "WARNING"
        engine = Engine(config)
        watcher = Watcher(engine, emulator, console, None if data else seconds)
        watcher.start()
        try:
            engine.start()
        finally:
            watcher.stop()
        truth = ask(emulator, "/emulator/ledger")["accounts"]["main"]["usdm"]
        status = ask(emulator, "/emulator/status")
    comparison = compare(engine.books(ACCOUNT), truth, SUFFIX)
    strategy: Any = config.strategy
    console.print(f"{strategy.ticks:,} quotes and {strategy.trades:,} trades reached the strategy")
    if data:
        lines, frames = status["lines"], status["frames"]
        console.print(
            f"{lines:,} recorded lines were replayed, {frames:,} of them stream frames"
            if frames
            else f"{lines:,} candles were replayed"
        )
    report(console, engine, comparison)
    require_whole(status)
    if comparison.differences:
        sys.exit(1)


def require_market(status: dict[str, Any], data: Path) -> None:
    """Raises EngineBuildError for a recording of another market: the demo would wait for it for ever."""
    markets = [(replay["product"], replay["symbol"]) for replay in status["replays"]]
    if MARKET not in markets:
        recorded = ", ".join(f"{symbol} {product}" for product, symbol in markets) or "nothing"
        raise EngineBuildError(
            f"{data} holds {recorded}; the demo trades {MARKET[1]} on USD-M futures. Give it a recording of that, "
            "or run a program of your own with `nexustrader run … --emulate binance --data …`"
        )


def require_whole(status: dict[str, Any]) -> None:
    """Raises DataError when a recording could not be played to its end."""
    for replay in status["replays"]:
        if replay["damage"]:
            raise DataError(
                f"{replay['damage']}. Only the {replay['lines']:,} lines before it were played; "
                "fetch the recording again"
            )


class Watcher(threading.Thread):
    """Shows progress, and ends the run when the recording has ended. Reads the emulator's control endpoint only."""

    def __init__(
        self, engine: Engine, emulator: EmulatorProcess, console: Console, seconds: float | None
    ) -> None:
        super().__init__(name="demo watcher", daemon=True)
        self._engine = engine
        self._emulator = emulator
        self._console = console
        self._seconds = seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[what]}"),
        )
        with Progress(*columns, console=self._console, transient=False) as progress:
            task = progress.add_task("trading", total=self._seconds, what="")
            elapsed = 0.0
            while not self._stopping.wait(POLL_S):
                elapsed += POLL_S
                try:
                    status = ask(self._emulator, "/emulator/status")
                except OSError:
                    return
                what = f"{status['orders']['usdm']} orders"
                if self._seconds is None:
                    what += f", {status['lines']:,} lines"
                progress.update(task, completed=elapsed if self._seconds else None, what=what)
                if self._seconds is None and status["finished"]:
                    self._stopping.wait(SETTLE_S)
                    self._engine.dispose()
                    return

    def stop(self) -> None:
        self._stopping.set()
        self.join(timeout=5)


def report(console: Console, engine: Engine, comparison: Comparison) -> None:
    """Orders, fills, position, profit and fees, and whether the books agree."""
    books = engine.books(ACCOUNT)
    statuses: dict[str, int] = {}
    for order in books.orders.values():
        statuses[order.status] = statuses.get(order.status, 0) + 1
    table = Table(title="The strategy's books", title_justify="left", show_header=False)
    table.add_row(
        "orders",
        f"{len(books.orders)} ({', '.join(f'{n} {s.lower()}' for s, n in sorted(statuses.items()))})",
    )
    table.add_row("fills", str(sum(len(order.trade_ids) for order in books.orders.values())))
    table.add_row("position", ", ".join(f"{a} {s}" for s, a in books.positions.items()) or "flat")
    table.add_row("realised PnL", ", ".join(f"{p} ({s})" for s, p in books.realized_pnl.items()) or "0")
    table.add_row("fees paid", ", ".join(f"{f} {c}" for c, f in books.fees.items()) or "0")
    table.add_row("balance", ", ".join(f"{b} {a}" for a, b in books.balances.items() if b != "0"))
    console.print(table)
    if not comparison.differences:
        console.print(
            f"[bold green]The books are equal[/]: {comparison.orders} orders, {comparison.fills} fills, "
            f"{comparison.positions} position(s), {comparison.balances} balances and the fees agree with the "
            "emulator's to the last digit."
        )
        return
    console.print(f"[bold red]The books differ[/] in {len(comparison.differences)} point(s):")
    for difference in comparison.differences[:50]:
        console.print(f"  {difference}", markup=False)
