from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nexustrader.kernel.entropy import Entropy

DRAWS = (
    "from nexustrader.kernel.entropy import Entropy; e = Entropy(7); "
    "print(e.token_hex(8), e.randint(0, 10**9), e.child('net').token_hex(8))"
)


def test_same_seed_gives_the_same_draws() -> None:
    def draws(entropy: Entropy) -> list[object]:
        items = list(range(20))
        entropy.shuffle(items)
        return [
            entropy.random(),
            entropy.gauss(0, 1),
            entropy.expovariate(3),
            entropy.randint(1, 6),
            entropy.choice("abcdef"),
            items,
            entropy.token_hex(16),
            entropy.jitter(10, 0.5),
        ]

    assert draws(Entropy(42)) == draws(Entropy(42))
    assert draws(Entropy(42)) != draws(Entropy(43))


def test_negative_seed_is_not_its_positive_twin() -> None:
    assert Entropy(-1).random() != Entropy(1).random()


@pytest.mark.slow
def test_draws_do_not_depend_on_the_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DRAWS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_child_does_not_depend_on_what_its_parent_drew() -> None:
    fresh, used = Entropy(5), Entropy(5)
    used.random()
    assert fresh.child("fills").random() == used.child("fills").random()


def test_children_are_different_streams() -> None:
    parent = Entropy(5)
    draws = {parent.child(name).random() for name in ("a", "b", "a/b")}
    draws |= {parent.random(), parent.child("a").child("b").random()}
    assert len(draws) == 5


def test_unseeded_streams_differ_and_so_do_their_children() -> None:
    parent = Entropy()
    assert Entropy().token_hex(16) != Entropy().token_hex(16)
    assert parent.child("x").token_hex(16) != parent.child("x").token_hex(16)


def test_token_has_two_digits_a_byte() -> None:
    assert {len(Entropy(seed).token_hex(16)) for seed in range(300)} == {32}


def test_randint_includes_both_ends() -> None:
    entropy = Entropy(0)
    assert {entropy.randint(1, 3) for _ in range(100)} == {1, 2, 3}


def test_jitter_stays_within_its_fraction() -> None:
    entropy = Entropy(0)
    values = [entropy.jitter(100.0, 0.2) for _ in range(500)]
    assert 80 <= min(values) < 90 < 110 < max(values) <= 120
    assert entropy.jitter(100.0, 0.0) == 100.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        entropy.jitter(100.0, 1.5)
