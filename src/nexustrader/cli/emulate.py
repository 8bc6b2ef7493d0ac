"""`nexustrader emulate`: venues on loopback that speak the real wire protocol, without keys and internet."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from nexustrader.emulator.venues import DEFAULT_VENUES, VENUES
from nexustrader.error import EngineBuildError, SecretsFileWarning

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("emulate")
def emulate(
    venues: Annotated[
        list[str] | None, typer.Argument(help=f"Venues to emulate: {', '.join(VENUES)}.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the first venue; 0 takes a free one.")
    ] = 0,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Recording to replay: frames (.gz), or candles in a file named SYMBOL-INTERVAL-… (.csv, .csv.gz, "
            ".zip; needs the extra `backtest`). May be given several times.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Speed of the replay; 0 is as fast as possible.")] = 1.0,
    start: Annotated[
        Literal["subscription", "now"],
        typer.Option(help="When a replay starts: when somebody listens, or now."),
    ] = "subscription",
    market: Annotated[
        Literal["synthetic", "still"], typer.Option(help="What the symbols without recorded data do.")
    ] = "synthetic",
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 1,
    limit_factor: Annotated[int, typer.Option(min=1, help="Multiplies the venue's request limits.")] = 1,
    show_keys: Annotated[bool, typer.Option(help="Print the throw-away API key, secret and token.")] = False,
    with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input does.")] = False,
) -> None:
    """Serve emulated venues on loopback until interrupted.

    Prints one line per venue when it listens. API key, secret and control token come from NEXUS_EMULATOR_API_KEY,
    NEXUS_EMULATOR_SECRET and NEXUS_EMULATOR_TOKEN where these are set, else new ones are made up.
    """
    # An emulator makes up its own keys: that none are stored is nothing to warn about.
    warnings.simplefilter("ignore", SecretsFileWarning)
    from nexustrader.emulator.program import Options, run

    options = Options(
        venues=venues or DEFAULT_VENUES,
        port=port,
        data=data or (),
        speed=speed,
        start=start,
        market=market,
        seed=seed,
        limit_factor=limit_factor,
        show_keys=show_keys,
        with_parent=with_parent,
    )
    try:
        run(options, lambda line: print(line, flush=True))
    except BrokenPipeError:
        raise SystemExit(1) from None  # who started it is gone before it listened
    except OSError as error:
        raise EngineBuildError(
            f"cannot listen on port {port}: {error}; choose another with --port"
        ) from error
