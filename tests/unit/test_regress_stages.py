"""The stages of a check as numbers: what is flagged, what is corrected for, and how small a change can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, expm1, log1p

import pytest

from servermatrix.analysis.regress.duels import Duel, Starts
from servermatrix.analysis.regress.findings import claims_of, findings_of, goes_on
from servermatrix.analysis.regress.flags import flagged
from servermatrix.analysis.regress.stages import CLAIMS, FLAG_ALPHA, Claim, Stages, adjusted, detectable, p_of
from servermatrix.analysis.stats import walsh_averages
from servermatrix.model import Cause, Change, Failed, Metric

PLAIN = Stages(first=10, margin=0.0)
WORSE = Claim(metric=Metric.RPS, worse=True)
STILL = [0.001 * (-1) ** number for number in range(26)]
ZEROS = [0.0] * 26


def starts(rps: Sequence[float], cpu: Sequence[float], failed: Sequence[int] = (), given_up: int = 0) -> Starts:
    broken = [Failed(cell_id="a", round=one, started_at="", cause=Cause.SERVER, reason="it broke") for one in failed]
    values = {metric: {at: exp(one) for at, one in enumerate(logs, 1)} for metric, logs in ((Metric.RPS, rps), (Metric.CPU, cpu))}
    return Starts(values=values, failures=tuple(broken), rounds=len(rps), stored=len(rps), given_up=given_up)


def duel(rps: Sequence[float], cpu: Sequence[float] | None = None, *, failed: Sequence[int] = (), given_up: int = 0) -> Duel:
    """Make a pair with these ln candidate - ln baseline by round."""
    zeros = [0.0] * len(rps)
    new = starts(rps, zeros if cpu is None else cpu, failed, given_up)
    return Duel(pair="a", baseline=starts(zeros, zeros), candidate=new)


def with_better(ranks: set[int]) -> list[float]:
    """Ten rounds in which the candidate serves less, but more in those whose differences have these ranks."""
    return [0.01 * rank * (1 if rank in ranks else -1) for rank in range(1, 11)]


def test_what_one_chance_in_ten_would_do_is_flagged_and_what_is_likelier_is_not() -> None:
    assert flagged(duel(with_better({4, 10})), PLAIN) == (WORSE,)  # P(W+ >= 41) = 0.097
    assert flagged(duel(with_better({5, 10})), PLAIN) == ()  # P(W+ >= 40) = 0.116
    assert goes_on(duel(with_better({4, 10})), PLAIN)
    assert not goes_on(duel(with_better({5, 10})), PLAIN)


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_each_metric_is_flagged_either_way(claim: Claim) -> None:
    logs = [claim.sign * (0.1 + number / 1000) for number in range(10)]
    quiet = STILL[:10]
    found = duel(logs, quiet) if claim.metric is Metric.RPS else duel(quiet, logs)
    assert flagged(found, Stages(first=10, margin=0.03)) == (claim,)
    fewer, costlier = Claim(metric=Metric.RPS, worse=True), Claim(metric=Metric.CPU, worse=True)
    assert (fewer.sign, costlier.sign) == (-1, 1)


def test_the_margin_is_as_wide_one_way_as_the_other() -> None:
    stages = Stages(first=10, margin=0.03)
    for size, expected in ((log1p(0.0302), 1), (log1p(0.0298), 0)):
        for sign in (1, -1):
            assert len(flagged(duel([sign * size] * 10), stages)) == expected


def test_rounds_after_the_first_stage_flag_nothing_and_rounds_of_the_first_confirm_nothing() -> None:
    late = duel([*STILL[:10], *[-0.5 - number / 100 for number in range(16)]])
    assert flagged(late, PLAIN) == ()
    early = duel([*[-0.5 - number / 100 for number in range(10)], *[0.01 * (-1) ** number * number for number in range(16)]])
    assert flagged(early, PLAIN) == (WORSE,)
    (found,) = adjusted([early], [(WORSE,)], PLAIN)
    assert found[WORSE] > 0.3


def test_holm_corrects_for_all_that_was_flagged_and_for_nothing_else() -> None:
    clear, vague = [-0.1 - number / 100 for number in range(26)], [-0.01 * number * (-1) ** (number % 3) for number in range(26)]
    pairs = [duel(clear), duel(vague), duel(STILL)]
    alone = adjusted(pairs, [(WORSE,), (), ()], PLAIN)
    both = adjusted(pairs, [(WORSE,), (WORSE,), ()], PLAIN)
    assert alone == [{WORSE: 1 / 2**16}, {}, {}]
    assert both[0] == {WORSE: 2 / 2**16}
    assert both[1][WORSE] > both[0][WORSE]
    assert both[2] == {}


def test_what_failed_for_good_in_the_first_stage_is_not_corrected_for_and_what_failed_later_is() -> None:
    clear = [-0.1 - number / 100 for number in range(26)]
    alone, beside, later, other = (
        findings_of([duel(clear), *more], PLAIN)
        for more in ([], [duel(clear, failed=(3, 4), given_up=5)], [duel(clear, failed=(4, 20, 21))], [duel(clear)])
    )
    assert alone[0].shifts[0].p == beside[0].shifts[0].p == 1 / 2**16
    assert later[0].shifts[0].p == other[0].shifts[0].p == 2 / 2**16
    assert (beside[1].change, later[1].change) == (Change.REGRESSION, Change.REGRESSION)
    assert not beside[1].numbers
    assert not later[1].numbers
    assert claims_of(duel(clear, failed=(4, 12, 13), given_up=14), PLAIN) == (
        WORSE,
    )  # what comes after the first stage does not count


def test_what_has_changed_and_may_be_beyond_the_margin_is_flagged_and_what_is_short_of_it_is_not() -> None:
    stages = Stages(first=10, margin=0.03)
    steps = [0.002 * step for step in range(-4, 6)]
    below, about = [[-centre + step for step in steps] for centre in (0.022, 0.028)]
    for logs, claims in ((below, ()), (about, (WORSE,)), ([-one for one in about], (replace(WORSE, worse=False),))):
        assert all(p_of(logs, claim, stages.margin_log) > FLAG_ALPHA for claim in CLAIMS)
        assert flagged(duel(logs), stages) == claims


def test_the_detectable_change_is_the_margin_and_half_the_width_of_the_alarm_in_the_steadier_metric() -> None:
    rps, cpu = [0.01 * (number * 7 % 26) for number in range(26)], [0.002 * (number * 7 % 26) for number in range(26)]
    walsh = walsh_averages(cpu[10:])
    half = (walsh[-24] - walsh[23]) / 2  # P(W+ <= 23) = 0.0091 of 16 rounds, one-sided
    assert detectable(duel(rps, cpu), Stages(first=10, margin=0.03)) == pytest.approx(expm1(log1p(0.03) + half))
    assert detectable(duel(cpu, rps), PLAIN) == pytest.approx(expm1(half))


def test_of_what_has_no_fresh_rounds_they_are_put_down_to_the_spread_of_the_first() -> None:
    logs = [0.01 * number for number in range(10)]
    walsh = walsh_averages(logs)
    place = 23 * 54 / 135  # of 55 averages, as the 24th of 136
    half = (1 - place % 1) * (walsh[-10] - walsh[9]) / 2 + place % 1 * (walsh[-11] - walsh[10]) / 2
    assert detectable(duel(logs, [9 * one for one in logs]), PLAIN) == pytest.approx(expm1(half))
    few = replace(PLAIN, confirm=40)  # then it is the first stage that asks for more
    assert detectable(duel(logs, logs), few) == pytest.approx(expm1((walsh[-15] - walsh[14]) / 2))
    assert detectable(duel(logs, logs), replace(PLAIN, confirm=6)) is None


def test_requests_per_second_that_something_else_limits_make_nothing_detectable() -> None:
    rps, cpu = [0.002 * number for number in range(10)], [0.01 * number for number in range(10)]
    both, of_cpu = duel(rps, cpu), duel(cpu, cpu)
    assert detectable(replace(both, limited="requests/s were limited"), PLAIN) == detectable(of_cpu, PLAIN)
    assert detectable(both, PLAIN) != detectable(of_cpu, PLAIN)


def test_without_rounds_enough_nothing_is_detectable() -> None:
    assert detectable(duel([0.1, 0.2, 0.3]), PLAIN) is None


def test_a_cpu_time_of_nothing_on_one_side_leaves_out_its_round() -> None:
    zero = Starts(values={Metric.RPS: {1: 1.0, 2: 2.0}, Metric.CPU: {1: 0.0, 2: 2.0}}, rounds=2, stored=2)
    full = Starts(values={Metric.RPS: {1: 1.0, 2: 2.0}, Metric.CPU: {1: 1.0, 2: 1.0}}, rounds=2, stored=2)
    for baseline, candidate in ((zero, full), (full, zero)):
        found = Duel(pair="a", baseline=baseline, candidate=candidate)
        assert len(found.differences(Metric.CPU, range(1, 9))) == 1
        assert found.differences(Metric.RPS, range(1, 9)) == [0.0, 0.0]
