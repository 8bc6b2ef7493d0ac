"""`nexustrader resume`: lets a program that was halted trade again at its next start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nexustrader.constants import TradingState
from nexustrader.domain import events as ev
from nexustrader.error import JournalError
from nexustrader.kernel.clock import LiveClock
from nexustrader.persistence.sqlite import SqliteJournal
from nexustrader.risk.gate import state_in

DATABASE = Path(".keys/cache.db")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("resume")
def resume(
    strategy_id: Annotated[str, typer.Argument(help="As in the program's Config.")],
    user_id: Annotated[str, typer.Argument(help="As in the program's Config.")],
    db: Annotated[Path, typer.Option("--db", help="The database file with the journal.")] = DATABASE,
    reason: Annotated[str, typer.Option(help="Kept in the journal.")] = "resumed by the operator",
) -> None:
    """End the halt of a program that does not run: its next start trades again, and measures losses anew.

    A running program resumes by its strategy's resume_trading(); its journal is locked, and this refuses.
    """
    if not db.is_file():
        raise JournalError(f"there is no journal {db}; name the program's database file with --db")
    clock = LiveClock()
    with SqliteJournal(db, strategy_id, user_id, {}, clock) as journal:
        found = [state for state in map(state_in, journal.replay()) if state is not None]
        if not found or found[-1].state is TradingState.ACTIVE:
            print(f"{strategy_id}-{user_id} is {TradingState.ACTIVE.value}; nothing was written")
            return
        journal.append(ev.RiskEvent(state=TradingState.ACTIVE, reason=reason, timestamp=clock.timestamp_ms()))
    print(
        f"{strategy_id}-{user_id} was {found[-1].state.value} ({found[-1].reason}); it is ACTIVE from its next start on"
    )
