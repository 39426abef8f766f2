from __future__ import annotations

from dataclasses import replace

from servermatrix.analysis.nights import night_of
from servermatrix.model import CellChange as Changed
from servermatrix.model import (
    Change,
    CheckReport,
    Excluded,
    Metric,
    NightCell,
    PlannedCell,
    RunHeader,
    Shift,
)
from tests.unit.analyse_runs import LOAD, cell, run
from tests.unit.night_values import EPYC, XEON, ratio, tried
from tests.unit.regress_runs import both, plan_of

LEFT_OUT = Excluded(id="idle/h1", reason="it cannot run")


def header(name: str, *servers: str, **other: object) -> RunHeader:
    plain = run(plan_of(*servers, canary=""), ()).header
    return replace(plain, id=name, started_at=f"2026-11-01T03:00:{name[-2:]}Z", **other)  # type: ignore[arg-type]


def changed(server: str, *shifts: Shift, change: Change = Change.UNCHANGED) -> Changed:
    return Changed(pair=cell(server).id, change=change, sentence=f"what became of {server}", shifts=shifts)


def report(*headers: RunHeader, cells: tuple[Changed, ...]) -> CheckReport:
    return CheckReport(
        headers=headers,
        trial=tried(),
        cells=cells,
        canaries=(),
        differing=(),
        detectable=0.038,
        complete=True,
        steps=(10, 10),
    )


RATES, COSTS = Shift(metric=Metric.RPS, ratio=ratio(0.9)), Shift(metric=Metric.CPU, ratio=ratio(1.1), stage=2, p=0.001)


def test_a_night_keeps_of_a_check_the_ratios_the_verdicts_and_the_machine() -> None:
    one = header("r-01", "a", "b", host=EPYC, excluded=(LEFT_OUT,))
    found = night_of(report(one, cells=(changed("a", RATES, COSTS), changed("b", change=Change.FAILED))))
    assert (found.id, found.started_at, found.hosts, found.trial) == (one.id, one.started_at, (EPYC,), tried())
    assert (found.detectable, found.left_out) == (0.038, (LEFT_OUT,))
    by = NightCell(pair="", change=Change.FAILED, sentence="", generator="fake 1", load=LOAD)
    assert found.cells == (
        replace(by, pair=cell("a").id, change=Change.UNCHANGED, sentence="what became of a", rps=ratio(0.9), cpu=ratio(1.1)),
        replace(by, pair=cell("b").id, sentence="what became of b"),
    )


def test_a_night_knows_that_it_was_simulated() -> None:
    real = {"generators": (("wrk", "4.1.0"),)}
    assert night_of(report(header("r-01", "a"), cells=(changed("a"),))).simulated
    assert not night_of(report(header("r-01", "a", **real), cells=(changed("a"),))).simulated
    assert night_of(report(header("r-01", "a", **real), header("r-02", "b"), cells=(changed("a"), changed("b")))).simulated


def test_each_cell_keeps_the_generator_of_its_own_shard() -> None:
    shards = [header(f"r-0{number}", server, generators=(("fake", f"1.{number}"),)) for number, server in ((1, "a"), (2, "b"))]
    found = night_of(report(*shards, cells=(changed("a"), changed("b"))))
    assert [one.generator for one in found.cells] == ["fake 1.1", "fake 1.2"]


def test_the_shards_of_a_check_are_one_night_in_whatever_order_they_come() -> None:
    shards = (header("r-02", "b", host=XEON), header("r-01", "a", host=EPYC), header("r-03", "c", host=XEON))
    cells = (changed("a", RATES), changed("b", RATES), changed("c", RATES))
    found = night_of(report(*shards, cells=cells))
    assert (found.id, found.started_at, found.hosts) == ("r-01", "2026-11-01T03:00:01Z", (EPYC, XEON))
    assert [one.host for one in found.cells] == [0, 1, 1]
    assert found == night_of(report(*reversed(shards), cells=cells))


def test_what_one_shard_left_out_and_another_measured_was_measured() -> None:
    idle = Excluded(id=cell("a").id, reason="elsewhere")
    shards = header("r-01", "a"), header("r-02", "b", excluded=(idle, LEFT_OUT, LEFT_OUT))
    assert night_of(report(*shards, cells=(changed("a"), changed("b")))).left_out == (LEFT_OUT,)


def test_the_pair_of_a_cell_is_the_name_that_its_verdict_has() -> None:
    planned = [PlannedCell(cell=side, argv=(), load_argv=()).cell.pair for side in both("a")]
    assert planned == [changed("a").pair] * 2
