"""The search that guards every test of the suite finds what it looks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import canaries


def test_a_secret_in_the_output_or_in_a_file_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert canaries.leaks([("stdout call", "nothing here")], folder) == []
    assert canaries.leaks([("stdout call", f"key={canaries.API_KEY}")], folder) == ["captured stdout call"]
    (folder / "cache.db").write_bytes(b"\x00" + canaries.SECRET.encode() + b"\x00")
    assert canaries.leaks([], folder) == ["cache.db"]
    (folder / "cache.db").unlink()


def test_a_test_that_leaks_fails(tmp_path: Path) -> None:
    """The hook itself, in a run of its own."""
    root = Path(__file__).parents[1]
    (tmp_path / "conftest.py").write_text(
        f"import importlib.util, sys\n"
        f"sys.path.insert(0, {str(root)!r})\n"
        f"spec = importlib.util.spec_from_file_location('suite', {str(root / 'conftest.py')!r})\n"
        f"suite = importlib.util.module_from_spec(spec)\n"
        f"spec.loader.exec_module(suite)\n"
        f"pytest_runtest_makereport = suite.pytest_runtest_makereport\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import canaries\ndef test_leak():\n    print(canaries.SECRET)\ndef test_sound():\n    print('fine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "test_leak leaks a secret into: captured" in done.stdout, done.stdout
    assert "test_sound" not in done.stdout
