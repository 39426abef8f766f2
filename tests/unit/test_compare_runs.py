"""Two stored runs -> Comparison: every verdict, what comes before it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from servermatrix.analysis.compare_runs import compare_runs
from servermatrix.cli.compare import exit_code
from servermatrix.errors import Exit, MatrixError, NothingSelected, Unfit, UsageProblem
from servermatrix.model import (
    Cause,
    Cell,
    Change,
    ComparedCell,
    Comparison,
    Decision,
    Excluded,
    Look,
    Metric,
    Run,
    Sample,
    Side,
    Trial,
)
from tests.unit.analyse_runs import again, failed, measured, skipped, window
from tests.unit.compared_runs import ROUNDS, A, B, C, became, named, of_samples, starts, steady

MARGIN = 0.03


def compared(base: Run, head: Run, margin: float = MARGIN, *, force: bool = False) -> Comparison:
    return compare_runs(base, head, margin, force=force)


def both(make: Callable[[str], Run]) -> Comparison:
    """Compare two runs that are made alike but for their noise."""
    return compared(make("base"), make("head"))


def only(base: list[Sample], head: list[Sample], rounds: int = ROUNDS) -> ComparedCell:
    """Compare two runs of one cell."""
    found = compared(of_samples("base", [A], base, rounds), of_samples("head", [A], head, rounds))
    return found.cells[0]


def test_runs_that_are_alike_have_no_change_and_say_beyond_what() -> None:
    found = compared(steady("base"), steady("head"))
    assert found.counts == {Change.UNCHANGED: 3}
    assert all(one.sentence.startswith("no change beyond ") for one in found.cells)
    assert all(one.beyond is not None and one.beyond < 0.03 for one in found.cells)
    assert exit_code(found, inconclusive_fails=True) is Exit.OK


@pytest.mark.parametrize(
    ("change", "expected", "worse", "better"),
    [
        ({"rps": 0.9, "cpu": 1.1}, Change.REGRESSION, (Metric.RPS, Metric.CPU), ()),
        ({"rps": 0.9}, Change.REGRESSION, (Metric.RPS,), ()),
        ({"cpu": 1.1}, Change.REGRESSION, (Metric.CPU,), ()),
        ({"rps": 1.1, "cpu": 0.9}, Change.IMPROVEMENT, (), (Metric.RPS, Metric.CPU)),
        ({"rps": 1.1}, Change.IMPROVEMENT, (), (Metric.RPS,)),
        ({"rps": 1.1, "cpu": 1.1}, Change.REGRESSION, (Metric.CPU,), (Metric.RPS,)),
        ({"rps": 0.985}, Change.UNCHANGED, (), ()),
    ],
)
def test_a_change_beyond_the_margin_of_either_metric_is_found_in_its_direction(
    change: dict[str, float], expected: Change, worse: tuple[Metric, ...], better: tuple[Metric, ...]
) -> None:
    found = compared(steady("base"), steady("head", {B: change}))
    one = became(found, B)
    assert (one.change, one.worse, one.better) == (expected, worse, better)
    assert found.counts[Change.UNCHANGED] == (3 if expected is Change.UNCHANGED else 2)


def test_what_got_worse_and_better_at_once_is_a_regression_that_tells_both() -> None:
    one = became(compared(steady("base"), steady("head", {B: {"rps": 1.1, "cpu": 1.1}})), B)
    assert "which is worse, but serves 1." in one.sentence


def test_throughput_that_moves_without_cpu_points_at_the_environment() -> None:
    one = became(compared(steady("base"), steady("head", {B: {"rps": 0.9}})), B)
    assert "throughput only: look at the environment" in one.sentence
    both = became(compared(steady("base"), steady("head", {B: {"rps": 0.9, "cpu": 1.1}})), B)
    assert "throughput only" not in both.sentence


def test_a_cpu_time_that_is_not_known_to_be_unchanged_does_not_clear_the_code() -> None:
    base, head = ([*starts(A, name, rps=rps), *starts(B, name)] for name, rps in (("base", 1.0), ("head", 0.85)))
    dearer = [*starts(A, "dear", rps=0.85, cpu=1.03), *starts(B, "head")]
    runs = [of_samples(name, [A, B], samples) for name, samples in (("base", base), ("head", head), ("dearer", dearer))]
    assert "throughput only" in became(compared(runs[0], runs[1]), A).sentence
    one = became(compared(runs[0], runs[2]), A)
    assert one.worse == (Metric.RPS,)
    assert "; a change of CPU time per request was not confirmed: 1.0" in one.sentence


@pytest.mark.parametrize("looks", [(), (Look(round=6, alpha=0.01), Look(round=12, alpha=0.04))])
def test_a_change_of_any_size_is_mirrored_when_the_runs_are_swapped(looks: tuple[Look, ...]) -> None:
    verdicts = set()
    for size in range(30):
        base = named(steady("base"), "base", looks=looks)
        head = steady("head", {B: {"rps": 1 - size / 400, "cpu": 1 + size / 300}})
        there, back = became(compared(base, head), B), became(compared(head, base), B)
        mirror = {Change.REGRESSION: Change.IMPROVEMENT, Change.IMPROVEMENT: Change.REGRESSION}
        assert back.change is mirror.get(there.change, there.change)
        assert (there.worse, there.better) == (back.better, back.worse)
        assert [shift.p for shift in there.shifts] == [shift.p for shift in back.shifts]
        verdicts.add(there.change)
    assert verdicts == {Change.UNCHANGED, Change.INCONCLUSIVE, Change.REGRESSION}


def test_the_ratio_and_its_interval_are_those_of_head_to_base() -> None:
    shift = became(compared(steady("base"), steady("head", {B: {"rps": 0.9}})), B).shift(Metric.RPS)
    assert shift is not None
    assert shift.ratio is not None
    assert shift.ratio.low is not None
    assert shift.ratio.high is not None
    assert 0.88 < shift.ratio.low < shift.ratio.value < shift.ratio.high < 0.92
    assert shift.ratio.n == ROUNDS
    assert shift.beyond == pytest.approx(1 / shift.ratio.low - 1)


def test_the_margin_decides_what_matters() -> None:
    base, head = steady("base"), steady("head", {B: {"rps": 0.9, "cpu": 1.1}})
    assert became(compared(base, head, 0.2), B).change is not Change.REGRESSION
    assert became(compared(base, head, 0.0), B).change is Change.REGRESSION


def test_a_change_that_is_not_confirmed_is_never_called_none() -> None:
    one = only(starts(A, 1, rounds=6), starts(A, 2, rps=0.95, rounds=6, sd=0.012), rounds=6)
    assert one.change is Change.INCONCLUSIVE
    assert "not confirmed to be beyond 3.0 % among 4 tests" in one.sentence


def test_noise_that_leaves_room_for_more_than_a_tenth_is_inconclusive() -> None:
    one = only(starts(A, 1, sd=0.2), starts(A, 2, sd=0.2))
    assert one.change is Change.INCONCLUSIVE
    assert one.sentence.startswith("too noisy, a change of up to ")


def test_p_are_corrected_for_all_cells_metrics_and_directions() -> None:
    alone = only(starts(A, "base"), starts(A, "head", rps=0.9)).shift(Metric.RPS)
    among = became(compared(steady("base"), steady("head", {A: {"rps": 0.9}})), A).shift(Metric.RPS)
    assert alone is not None
    assert among is not None
    assert among.p == pytest.approx(3 * (alone.p or 0))
    assert compared(steady("base"), steady("head")).hypotheses == 12


# errors come first


def without(samples: list[Sample], *rounds: int, cause: Cause = Cause.SERVER) -> list[Sample]:
    """Let the starts of these rounds fail."""
    return [failed(A, one.round, cause, "it broke") if one.round in rounds else one for one in samples]


EVERY = tuple(range(1, ROUNDS + 1))


@pytest.mark.parametrize(
    ("base", "head", "expected", "sentence"),
    [
        (
            (),
            (3,),
            Change.INCONCLUSIVE,
            "failed in 1 of 12 starts of HEAD, which may be an accident: it broke; else requests",
        ),
        ((), (3, 4), Change.REGRESSION, "failed in 2 of 12 starts of HEAD and in none of BASE: it broke"),
        ((), EVERY, Change.REGRESSION, "failed in 12 of 12 starts of HEAD and in none of BASE: it broke"),
        ((3,), (), Change.FAILED, "failed in 1 of 12 starts of BASE, and a cell with errors is never a baseline: it broke"),
        (EVERY, (), Change.NEW, "works in HEAD and failed in 12 of 12 starts of BASE: it broke"),
        (EVERY, (1,), Change.FAILED, "failed in both runs, 12 of 12 starts of BASE and 1 of 12 starts of HEAD: it broke"),
    ],
)
def test_errors_come_before_numbers(base: tuple[int, ...], head: tuple[int, ...], expected: Change, sentence: str) -> None:
    one = only(without(starts(A, 1), *base), without(starts(A, 2), *head))
    assert one.change is expected
    assert one.sentence.startswith(sentence)


def test_a_failure_of_head_does_not_hide_that_it_is_slower() -> None:
    one = only(starts(A, 1), without(starts(A, 2, rps=0.8), 5))
    assert one.change is Change.REGRESSION
    assert "it failed in 1 of 12 starts of HEAD" in one.sentence


def test_a_failure_of_head_is_never_an_improvement() -> None:
    assert only(starts(A, 1), without(starts(A, 2, rps=1.2), 5)).change is Change.INCONCLUSIVE


def test_an_unfit_machine_ends_with_its_own_code() -> None:
    head = of_samples("head", [A], without(starts(A, 2), 5, cause=Cause.ENVIRONMENT))
    found = compared(of_samples("base", [A], starts(A, 1)), head)
    assert found.cells[0].change is Change.FAILED
    assert found.cells[0].sentence == "could not be measured in HEAD: it broke"
    assert exit_code(found, inconclusive_fails=False) is Exit.UNFIT


def test_starts_lost_to_noise_are_no_failures_until_they_are_too_many() -> None:
    few = without(starts(A, 2), 1, 2, 3, cause=Cause.NOISE)
    assert only(starts(A, 1), few).change is Change.UNCHANGED
    many = without(starts(A, 2), 1, 2, 3, 4, cause=Cause.NOISE)
    found = only(starts(A, 1), many)
    assert (found.change, found.sentence) == (Change.INCONCLUSIVE, "4 of 12 starts of HEAD were lost to noise")
    assert only(many, starts(A, 1)).sentence == "4 of 12 starts of BASE were lost to noise"


def test_a_cell_without_numbers_says_why_there_are_none() -> None:
    missing: list[Sample] = [skipped(A, number, "wrk is not here") for number in EVERY]
    assert only(starts(A, 1), missing).sentence == "no number in HEAD: wrk is not here"
    assert only([], missing).sentence == "no number in BASE: not reached before the run ended; no number in HEAD: wrk is not here"
    lost = without(starts(A, 2), *EVERY, cause=Cause.NOISE)
    assert only(lost, starts(A, 1)).sentence == "no number in BASE: 12 starts lost to noise"


def test_a_run_that_was_cut_off_early_has_too_few_rounds_in_every_cell() -> None:
    one = only(starts(A, 1), starts(A, 2, rounds=4))
    assert one.change is Change.INCONCLUSIVE
    assert one.sentence == "12 rounds in BASE and 4 rounds in HEAD: comparing takes at least 6 in each"


def test_a_metric_that_was_never_above_zero_leaves_a_cell_inconclusive() -> None:
    one = only(starts(A, 1), starts(A, 2, cpu=0.0))
    assert one.change is Change.INCONCLUSIVE
    assert one.sentence.startswith("one of the metrics cannot be compared: ")
    assert only(starts(A, 1), starts(A, 2, cpu=0.0, rps=0.8)).change is Change.REGRESSION


# cells of one run alone


def test_cells_of_one_run_alone_are_new_and_gone() -> None:
    base = of_samples("base", [A, B], [*starts(A, 1), *starts(B, 1)])
    head = of_samples("head", [A, C], [*starts(A, 2), *starts(C, 2)], excluded=(Excluded(id=B.id, reason="it cannot"),))
    found = compared(base, head)
    assert [(one.id, one.change) for one in found.cells] == [
        (A.id, Change.UNCHANGED),
        (B.id, Change.GONE),
        (C.id, Change.NEW),
    ]
    assert became(found, B).sentence == "only in BASE, a cell that stopped being measured: excluded in the other, it cannot"
    assert became(found, C).sentence == "only in HEAD"


def test_a_cell_that_stopped_being_measured_ends_with_the_code_of_a_regression_and_a_new_one_with_none() -> None:
    more, less = of_samples("more", [A, B], [*starts(A, 1), *starts(B, 1)]), of_samples("less", [A], starts(A, 2))
    assert exit_code(compared(more, less), inconclusive_fails=False) is Exit.REGRESSION
    assert exit_code(compared(less, more), inconclusive_fails=True) is Exit.OK


def test_a_cell_of_one_run_alone_that_failed_is_a_failure_whichever_run_it_is_of() -> None:
    less = of_samples("less", [A], starts(A, 1))
    more = of_samples("more", [A, C], [*starts(A, 2), *starts(C, 2, rounds=11), failed(C, 12, Cause.SERVER, "it broke")])
    for found, name in ((compared(less, more), "HEAD"), (compared(more, less), "BASE")):
        assert (became(found, C).change, became(found, C).sentence) == (
            Change.FAILED,
            f"only in {name}, where it failed: it broke",
        )
        assert exit_code(found, inconclusive_fails=False) is Exit.CELL_FAILED


def test_a_cell_of_one_run_alone_that_never_had_a_number_neither_came_nor_went() -> None:
    less = of_samples("less", [A], starts(A, 1))
    more = of_samples("more", [A, C], [*starts(A, 2), *(skipped(C, number, "wrk is not here") for number in EVERY)])
    for found, name in ((compared(less, more), "HEAD"), (compared(more, less), "BASE")):
        sentence = f"only in {name}, and no number in {name}: wrk is not here"
        assert (became(found, C).change, became(found, C).sentence) == (Change.INCONCLUSIVE, sentence)


def test_a_failure_in_one_cell_leaves_the_p_of_the_others_mirrored() -> None:
    whole = of_samples("whole", [A, B], [*starts(A, 1), *starts(B, 1)])
    broken = of_samples("broken", [A, B], [*without(starts(A, 2), 3), *starts(B, 2, rps=0.9)])
    there, back = compared(whole, broken), compared(broken, whole)
    assert (there.hypotheses, back.hypotheses) == (8, 8)
    assert [shift.p for shift in became(there, B).shifts] == [shift.p for shift in became(back, B).shifts]


# what a run has besides the cells that are compared


def open_loop(of: Cell) -> Cell:
    return replace(of, load=replace(of.load, rate_percent=50))


def test_cells_of_an_open_loop_are_left_out_and_named() -> None:
    base, head = (of_samples(name, [A, open_loop(A)], starts(A, name)) for name in ("base", "head"))
    found = compared(base, head)
    assert [one.id for one in found.cells] == [A.id]
    assert found.left_out == (open_loop(A).id,)


def with_duplicate(name: str, spread: float) -> Run:
    """Return a run in which what is measured twice differs from itself by more from round to round."""
    return of_samples(name, [A, again(A)], [*starts(A, name), *starts(again(A), f"{name} again", sd=spread)])


def test_a_machine_on_which_a_cell_differs_from_itself_shows_no_absence_of_change() -> None:
    assert compared(with_duplicate("base", 0.01), with_duplicate("head", 0.01)).counts == {Change.UNCHANGED: 1}
    for spreads in ((0.01, 0.5), (0.5, 0.01)):
        found = compared(with_duplicate("base", spreads[0]), with_duplicate("head", spreads[1]))
        assert found.counts == {Change.INCONCLUSIVE: 1}
        where = "HEAD" if spreads[1] > spreads[0] else "BASE"
        assert found.cells[0].sentence.startswith(f"in {where} a cell differed from itself by up to ")


def test_a_run_that_could_end_at_several_rounds_pays_for_each_of_them() -> None:
    looks = (Look(round=6, alpha=0.01), Look(round=12, alpha=0.04))
    base, head = steady("base"), steady("head", {B: {"rps": 0.9}})
    budget = named(base, "base", looks=looks)
    plain, looked = (became(compared(one, head), B).shift(Metric.RPS) for one in (base, budget))
    assert plain is not None
    assert looked is not None
    assert plain.p is not None
    assert looked.p == pytest.approx(2 * plain.p)
    assert plain.ratio is not None
    assert looked.ratio is not None
    assert (looked.ratio.low or 0) < (plain.ratio.low or 0)
    assert compared(budget, named(head, "head", looks=looks)).base.looks == 2


def test_a_cell_that_was_left_out_early_is_compared_by_the_rounds_it_has() -> None:
    looks = (Look(round=6, alpha=0.01), Look(round=12, alpha=0.04))
    samples = [*starts(A, 1, rounds=6), *starts(B, 1), *starts(C, 1)]
    decisions = (Decision(round=6, alpha=0.01, dropped=((A.id, "slower"),)),)
    base = replace(of_samples("base", [A, B, C], samples, looks=looks), decisions=decisions)
    found = compared(base, steady("head"))
    assert found.base.complete
    assert found.base.steps == (30, 30)
    shift = became(found, A).shift(Metric.RPS)
    assert shift is not None
    assert shift.ratio is not None
    assert shift.ratio.n == 6


def test_an_incomplete_run_is_compared_and_says_how_far_it_came() -> None:
    base = of_samples("base", [A, B], [*starts(A, 1), *starts(B, 1, rounds=7)])
    found = compared(base, of_samples("head", [A, B], [*starts(A, 2), *starts(B, 2)]))
    assert not found.base.complete
    assert found.base.steps == (19, 24)
    assert found.head.complete


def test_the_smallest_detectable_change_is_larger_with_more_noise_and_none_without_rounds() -> None:
    quiet = compared(steady("base"), steady("head")).detectable
    loud = both(lambda name: of_samples(name, [A], starts(A, name, sd=0.05))).detectable
    assert quiet is not None
    assert loud is not None
    assert MARGIN < quiet < 0.06 < loud
    assert compared(of_samples("base", [A], []), of_samples("head", [A], starts(A, 1))).detectable is None


def test_what_moves_all_cells_is_told_as_a_change_of_the_median_cell() -> None:
    slower = {of: {"rps": 0.9} for of in (A, B, C)}
    overall = dict(compared(steady("base"), steady("head", slower)).overall)
    assert overall[Metric.RPS] == pytest.approx(0.9, abs=0.01)
    assert overall[Metric.CPU] == pytest.approx(1.0, abs=0.01)
    assert both(lambda name: of_samples(name, [A], starts(A, name))).overall == ()


# exit codes


@pytest.mark.parametrize(
    ("changes", "fails", "expected"),
    [
        ({Change.FAILED, Change.REGRESSION, Change.INCONCLUSIVE}, True, Exit.CELL_FAILED),
        ({Change.REGRESSION, Change.INCONCLUSIVE}, True, Exit.REGRESSION),
        ({Change.INCONCLUSIVE}, True, Exit.INCONCLUSIVE),
        ({Change.INCONCLUSIVE}, False, Exit.OK),
        ({Change.GONE, Change.INCONCLUSIVE, Change.IMPROVEMENT}, True, Exit.REGRESSION),
        ({Change.GONE, Change.FAILED}, True, Exit.CELL_FAILED),
        ({Change.IMPROVEMENT, Change.UNCHANGED, Change.NEW}, True, Exit.OK),
    ],
)
def test_the_exit_code_is_that_of_the_worst_cell(changes: set[Change], fails: bool, expected: Exit) -> None:  # noqa: FBT001
    found = compared(steady("base"), steady("head"))
    cells = tuple(ComparedCell(id=change.value, change=change, sentence="") for change in changes)
    assert exit_code(replace(found, cells=cells), inconclusive_fails=fails) is expected


# what is refused


def a_check(name: str) -> Run:
    sides = (Side(name="baseline"), Side(name="candidate"))
    return steady(name, trial=Trial(baseline=sides[0], candidate=sides[1]))


@pytest.mark.parametrize(
    ("make", "problem", "message", "tip"),
    [
        (lambda: (steady("one"), steady("one")), UsageProblem, "BASE and HEAD are the same run, one", "name two runs"),
        (lambda: (a_check("one"), steady("two")), UsageProblem, "run one is a check", "report one"),
        (lambda: (steady("one"), a_check("two")), UsageProblem, "run two is a check", "report two"),
        (
            lambda: (of_samples("one", [A], starts(A, 1)), of_samples("two", [B], starts(B, 1))),
            NothingSelected,
            "one and two have no cell of a closed loop in common",
            "`check`",
        ),
        (
            lambda: (steady("one"), of_samples("two", [A], starts(A, 1, rounds=5), 5)),
            UsageProblem,
            "run two has 5 of the at least 6 rounds that comparing takes",
            "--rounds 6",
        ),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_compared_is_refused_with_or_without_force(
    make: Callable[[], tuple[Run, Run]],
    problem: type[MatrixError],
    message: str,
    tip: str,
    force: bool,  # noqa: FBT001
) -> None:
    with pytest.raises(problem) as caught:
        compared(*make(), force=force)
    assert message in caught.value.message
    assert tip in caught.value.tip


def test_rounds_are_asked_for_that_can_confirm_a_change_of_any_of_the_cells() -> None:
    cells = [replace(A, server=f"s{number}") for number in range(33)]
    with pytest.raises(UsageProblem) as caught:
        both(lambda name: of_samples(name, cells, [], 3))
    assert "--rounds 9, which can confirm a change among 33 cells" in caught.value.tip


def test_runs_of_different_machines_are_refused_unless_by_force_and_then_labelled() -> None:
    base, head = steady("base"), steady("head")
    other = named(head, "head", host=replace(head.header.host, cpu="another cpu", cores=8))
    with pytest.raises(Unfit) as caught:
        compared(base, other)
    assert "\n  cpu: a cpu in BASE, another cpu in HEAD\n  cores: 4 in BASE, 8 in HEAD" in caught.value.message
    assert "--force" in caught.value.tip
    found = compared(base, other, force=True)
    assert [one.unlike for one in found.cells] == [("cpu", "cores")] * 3
    assert compared(base, head, force=True).unlike == ()


def test_a_load_that_differs_in_some_cells_labels_these_alone() -> None:
    longer = replace(B, load=replace(B.load, duration_s=9))
    assert longer.id == B.id
    base = of_samples("base", [A, B], [*starts(A, 1), *starts(B, 1)])
    head = of_samples("head", [A, longer], [*starts(A, 2), *starts(longer, 2)])
    with pytest.raises(Unfit):
        compared(base, head)
    found = compared(base, head, force=True)
    assert (became(found, A).unlike, became(found, B).unlike) == ((), ("load",))


def test_a_window_without_requests_is_a_failure_and_no_number() -> None:
    broken = [*starts(A, 2)[:-2], measured(A, 11, window(0)), measured(A, 12, window(0))]
    one = only(starts(A, 1), broken)
    assert one.change is Change.REGRESSION
    assert one.sentence.startswith("failed in 2 of 12 starts of HEAD")
