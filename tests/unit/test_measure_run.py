"""The one orchestrator: exactly one sample per step, one proof per setting, and nothing started in vain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.contracts import LoadFailure, LoadStats, Outcome, Shot
from servermatrix.measure import window
from servermatrix.measure.bench import Bench
from servermatrix.measure.run import measure, measure_step
from servermatrix.model import Cause, Cell, Expect, Failed, Measured, Noise, Plan, Proof, Sample, Skipped, Step
from tests.room import ANSWERING, guarded, make_bench, make_cell, small_generator, small_server

SAYS = json.dumps({"pid": 1, "loop": "a.B", "http": "c.D", "http_version": "1.1", "python": "3", "versions": {}})
CELL = make_cell()


def refuse(_: Shot, __: Outcome) -> LoadStats:
    raise LoadFailure("nothing came of it")


def plan(*cells: Cell, rounds: int = 1) -> Plan:
    return Plan(cells=cells, excluded=(), apps=(), rounds=rounds, seed=1, noise=Noise())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench whose server answers witness and app alike, and that does not wait between attempts."""
    monkeypatch.setattr(window, "QUIET_LIMIT", 99.0)
    with guarded() as guard:
        made = make_bench(tmp_path, guard, server=small_server(ANSWERING, "200", SAYS))
        right = Expect(contains="pid")
        app = replace(made.apps["plain"], expect=right)
        yield replace(made, witness=replace(made.witness, expect=right), apps={"plain": app, "other": app})


def all_of(bench: Bench, asked: Plan, stored: tuple[Sample, ...] = ()) -> list[Proof | Sample]:
    return list(measure(bench, asked, stored, lambda _: None))


def skipped(number: int) -> Skipped:
    return Skipped(cell_id=CELL.id, round=number, started_at="", reason="stored")


def broke(number: int, cause: Cause = Cause.SERVER) -> Failed:
    return Failed(cell_id=CELL.id, round=number, started_at="", cause=cause, reason="it broke")


def test_a_step_that_works_is_measured_with_all_its_windows(bench: Bench) -> None:
    sample = measure_step(bench, Step(cell=make_cell(windows=3), round=4))
    assert isinstance(sample, Measured)
    assert (sample.cell_id, sample.round, len(sample.windows)) == (CELL.id, 4, 3)
    assert sample.startup_s > 0
    assert sample.started_at.endswith("Z")


def test_a_setting_is_proven_once_before_its_first_sample_whatever_the_app(bench: Bench) -> None:
    cells = (CELL, replace(CELL, app="other"))
    records = all_of(bench, plan(*cells, rounds=2))
    assert [type(record) for record in records] == [Proof, Measured, Measured, Measured, Measured]
    assert sorted((s.cell_id, s.round) for s in records if isinstance(s, Measured)) == sorted(
        (cell.id, number) for cell in cells for number in (1, 2)
    )


def test_what_is_stored_is_not_done_again(bench: Bench) -> None:
    asked: list[Step] = []
    records = list(measure(bench, plan(CELL, rounds=3), (broke(1, Cause.NOISE), broke(3, Cause.NOISE)), asked.append))
    assert [type(record) for record in records] == [Proof, Measured]
    assert [step.round for step in asked] == [2]


def test_a_cell_that_was_given_up_before_the_interruption_is_not_started_after_it(bench: Bench) -> None:
    stored = (broke(1), broke(2), skipped(3))
    assert [type(record) for record in all_of(bench, plan(CELL, rounds=5), stored)] == [Proof, Skipped, Skipped]


def test_a_run_that_is_stored_whole_starts_nothing(bench: Bench) -> None:
    broken = replace(bench, python="no-such-python", servers={})
    assert all_of(broken, plan(CELL), (broke(1),)) == []


def test_a_setting_that_fails_its_proof_fails_every_step_without_being_started_again(bench: Bench, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    source = f"open({str(starts)!r}, 'a').write('x'); raise RuntimeError('out of milk')"
    cells = (CELL, replace(CELL, app="other"))
    samples = all_of(replace(bench, servers={"small": small_server(source)}), plan(*cells, rounds=2))
    assert len(samples) == 4
    for sample in samples:
        assert isinstance(sample, Failed)
        assert sample.cause is Cause.SERVER
        assert sample.reason.endswith("RuntimeError: out of milk")
        assert (tmp_path / sample.log).read_text().endswith("RuntimeError: out of milk\n")
    assert starts.read_text() == "x"


def test_a_cell_that_failed_twice_running_is_not_started_again(bench: Bench) -> None:
    failing = replace(bench, generator=small_generator(parse=refuse))
    proof, *samples = all_of(failing, plan(CELL, rounds=4))
    assert isinstance(proof, Proof)
    assert [type(sample) for sample in samples] == [Failed, Failed, Skipped, Skipped]
    assert isinstance(samples[0], Failed)
    assert (samples[0].cause, samples[0].reason) == (Cause.GENERATOR, "nothing came of it")


def test_rounds_lost_to_noise_do_not_speak_against_the_cell(bench: Bench) -> None:
    noisy = replace(bench, noise=Noise(foreign_cpu=99, steal=-1.0))
    _, *samples = all_of(noisy, plan(CELL, rounds=3))
    assert [sample.cause for sample in samples if isinstance(sample, Failed)] == [Cause.NOISE] * 3


def test_another_app_of_a_failing_setting_is_tried_all_the_same(bench: Bench) -> None:
    apps = {**bench.apps, "plain": replace(bench.apps["plain"], expect=Expect(body="something else"))}
    _, *samples = all_of(replace(bench, apps=apps), plan(CELL, replace(CELL, app="other"), rounds=1))
    kinds = {sample.cell_id: type(sample) for sample in samples if not isinstance(sample, Proof)}
    assert kinds == {CELL.id: Failed, replace(CELL, app="other").id: Measured}


def test_a_quiet_server_leaves_no_log_and_its_failure_names_none(bench: Bench) -> None:
    sample = measure_step(replace(bench, generator=small_generator(parse=refuse)), Step(cell=CELL, round=1))
    assert isinstance(sample, Failed)
    assert sample.log == ""
    assert list(bench.logs.iterdir()) == []


def test_what_the_system_refuses_fails_the_step_in_a_sentence_and_is_no_bug_of_ours(bench: Bench) -> None:
    nowhere = {"no/such/folder": "text"}
    server = replace(bench.servers["small"], files=lambda _: nowhere)
    generator = small_generator(files=nowhere)
    for broken in (replace(bench, servers={"small": server}), replace(bench, generator=generator)):
        *_, sample = all_of(broken, plan(CELL))
        assert isinstance(sample, Failed)
        assert sample.cause is Cause.ENVIRONMENT
        assert "No such file or directory" in sample.reason


def test_an_interrupted_step_leaves_no_server_behind(bench: Bench) -> None:
    def interrupt(_: Shot, __: Outcome) -> LoadStats:
        raise KeyboardInterrupt

    records = measure(replace(bench, generator=small_generator(parse=interrupt)), plan(CELL), frozenset(), lambda _: None)
    assert isinstance(next(records), Proof)
    with pytest.raises(KeyboardInterrupt):
        next(records)
