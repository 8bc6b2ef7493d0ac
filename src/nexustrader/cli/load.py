"""Loads a user's program without letting it run: its Config is taken, `engine.start()` is left to us."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from nexustrader._engine.loading import find_taken, taking_configs
from nexustrader.config import Config
from nexustrader.error import EngineBuildError


def load_program(path: Path) -> Config:
    """Run the user's file up to its `Engine(config)` and return that config.

    Raises EngineBuildError when the file does not exist or builds no engine and has no module-level `config`.
    Whatever the user's own code raises passes through.
    """
    if not path.is_file():
        raise EngineBuildError(f"{path} is not a file; give the path of a strategy program")
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with taking_configs():
            names = runpy.run_path(str(path), run_name="__main__")
    except BaseException as error:  # tidy: ok — re-raised unless it carries the config
        taken = find_taken(error)
        if taken is None:
            raise
        return taken.config
    finally:
        sys.path.remove(folder)
    config = names.get("config")
    if isinstance(config, Config):
        return config
    raise EngineBuildError(
        f"{path} builds no Engine and has no module-level `config`. "
        "End it with `engine = Engine(config)` and `engine.start()`"
    )
