"""How long a machine is waited for that does not become quiet, and who is told of it."""

from __future__ import annotations

import time

from servermatrix.measure import quiet
from servermatrix.measure.quiet import IN_VAIN, Quiet

NEVER, ALWAYS = -1.0, 1000.0  # of a core, which others use less than


def waited_s(of: Quiet, limit: float, patience_s: float) -> float:
    """Wait and return how long that took."""
    began = time.monotonic()
    assert of.wait(limit, patience_s, quiet.nobody) is (limit == ALWAYS)
    return time.monotonic() - began


def test_after_a_few_waits_in_vain_on_end_waiting_is_cut_short() -> None:
    one = Quiet(in_vain=IN_VAIN - 1)
    assert waited_s(one, NEVER, 1.6) >= 1.6
    assert waited_s(one, NEVER, 1.6) < 1.5
    assert one.in_vain == IN_VAIN + 1


def test_a_short_patience_is_not_made_longer() -> None:
    assert waited_s(Quiet(in_vain=IN_VAIN), NEVER, 0.1) < 0.9


def test_a_machine_that_becomes_quiet_is_waited_for_with_all_patience_the_next_time() -> None:
    one = Quiet(in_vain=IN_VAIN)
    assert waited_s(one, ALWAYS, 60) < 5
    assert one.in_vain == 0
    assert waited_s(one, NEVER, 1.6) >= 1.6


def test_it_is_told_once_however_often_it_is_waited_for() -> None:
    told: list[str] = []
    one = Quiet()
    for limit in (ALWAYS, NEVER, NEVER, ALWAYS, NEVER):
        one.wait(limit, 0.05, told.append)
    assert len(told) == 1
    assert told[0].startswith("this machine does not become quiet: other programs use ")
