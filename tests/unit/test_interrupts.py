"""Whom the kernel charges with interrupts: found by a short experiment, and confirmed by the kernel's configuration."""

from __future__ import annotations

import contextlib
import gzip
import platform
import time
from pathlib import Path

import pytest

from servermatrix.measure import interrupts

CONFIGURATION = "CONFIG_IRQ_TIME_ACCOUNTING=y"


@pytest.mark.parametrize(
    ("ran_or_waited_ns", "charged"), [(100, True), (98, True), (93, True), (92, False), (75, False), (0, False)]
)
def test_time_that_is_missing_from_a_busy_thread_was_interrupts(ran_or_waited_ns: int, charged: bool) -> None:  # noqa: FBT001
    assert interrupts.accounts_for(ran_or_waited_ns, 100) == charged


def configuration() -> str | None:
    """Read how this kernel was made, None where that is not told."""
    with contextlib.suppress(OSError):
        return gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    with contextlib.suppress(OSError):
        return Path(f"/boot/config-{platform.release()}").read_text()
    return None


def test_the_experiment_finds_what_the_kernel_was_made_for() -> None:
    told = configuration()
    if told is not None:
        assert interrupts.are_charged() == (CONFIGURATION not in told.splitlines())
    assert interrupts.are_charged() in {True, False}


def test_the_experiment_is_made_once_and_is_short() -> None:
    interrupts.are_charged.cache_clear()
    begin = time.process_time()
    assert interrupts.are_charged() == interrupts.are_charged()
    assert time.process_time() - begin < 0.2


class Told:
    """What the kernel tells of a thread, one look after the other; the last of it again and again."""

    def __init__(self, *ran_ns: int) -> None:
        self.ran_ns = list(ran_ns)

    def read_text(self) -> str:
        return f"{self.ran_ns.pop(0) if len(self.ran_ns) > 1 else self.ran_ns[0]} 0 0"


@pytest.mark.parametrize(
    ("told", "charged"),
    [(Told(0, 0, 0, 0, 0, 10**10), True), (Told(0, 10**10), True), (Told(0), False), (Told(*[0, 2_000_000] * 5), False)],
)
def test_a_probe_from_which_the_host_took_time_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
    told: Told,
    charged: bool,  # noqa: FBT001 - a table
) -> None:
    """Was a bug: a single probe decided for the whole run."""
    interrupts.are_charged.cache_clear()
    monkeypatch.setattr(interrupts, "SCHEDSTAT", told)
    assert interrupts.are_charged() is charged
    interrupts.are_charged.cache_clear()


def test_where_the_kernel_tells_nothing_interrupts_are_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts.are_charged.cache_clear()
    for text in (None, "nonsense", "0 0 0"):
        monkeypatch.setattr(interrupts, "SCHEDSTAT", tmp_path / "schedstat")
        if text is not None:
            (tmp_path / "schedstat").write_text(text)
        assert not interrupts.are_charged()
        interrupts.are_charged.cache_clear()
