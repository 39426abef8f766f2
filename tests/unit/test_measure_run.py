"""The one orchestrator: exactly one sample per step, one proof per setting, and nothing started in vain."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.contracts import Launch, LoadFailure, LoadGenerator, LoadStats, Outcome, Question, Shot
from servermatrix.measure import window
from servermatrix.measure.bench import Bench, Driver, Venue, wanted
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.client import Answer
from servermatrix.measure.course import NO_PACE, Course, Found
from servermatrix.measure.run import GIVEN_UP, measure, measure_step, simulate, wire_of
from servermatrix.model import (
    Asked,
    Cause,
    Ceiling,
    Cell,
    Decision,
    Expect,
    Failed,
    Measured,
    Noise,
    Pace,
    Plan,
    Proof,
    Request,
    Run,
    Sample,
    Skipped,
    Step,
    Window,
    Wire,
)
from servermatrix.steering import OUT_OF_TIME, OVERRUN, steer
from tests.golden.report_examples import HEADER
from tests.room import ANSWERING, STATS, guarded, make_bench, make_cell, small_generator, small_server

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


def driven_by(bench: Bench, generator: LoadGenerator) -> Bench:
    return replace(bench, drivers={"small": Driver(plugin=generator)})


# What the small generator can do at most in each protocol, so that it is not calibrated.
CEILINGS = tuple(
    Ceiling(generator="small", protocol=protocol, threads=1, requests_per_s=1.0, cpu_us_per_request=1.0)
    for protocol in ("h1", "h1s")
)


def run_of(stored: tuple[Sample, ...] = (), ceilings: tuple[Ceiling, ...] = CEILINGS, schema: int = HEADER.schema) -> Run:
    return Run(header=replace(HEADER, rounds=9, schema=schema), proofs=(), samples=stored, ceilings=ceilings)


def at_paces(*paces: Pace) -> Course:
    return Course(decide=lambda look: pytest.fail(f"there is no look {look}"), paces=lambda: paces)


def measured(
    bench: Bench, asked: Plan, stored: tuple[Sample, ...] = (), before: Callable[[Step], None] = lambda _: None
) -> Iterator[Found]:
    return measure(bench, asked, run_of(stored), before, at_paces())


def all_of(bench: Bench, asked: Plan, stored: tuple[Sample, ...] = ()) -> list[Found]:
    return list(measured(bench, asked, stored))


def skipped(number: int) -> Skipped:
    return Skipped(cell_id=CELL.id, round=number, started_at="", reason=GIVEN_UP)


def broke(number: int, cause: Cause = Cause.SERVER) -> Failed:
    return Failed(cell_id=CELL.id, round=number, started_at="", cause=cause, reason="it broke")


def test_a_step_that_works_is_measured_with_all_its_windows(bench: Bench) -> None:
    sample = measure_step(bench, Step(cell=make_cell(windows=3), round=4))
    assert isinstance(sample, Measured)
    assert (sample.cell_id, sample.round, len(sample.windows)) == (CELL.id, 4, 3)
    assert sample.startup_s > 0
    assert sample.started_at.endswith("Z")


def mixed(bench: Bench, path: str, expect: Expect) -> Bench:
    """Ask for something else beside what the app of a bench is asked for."""
    app = bench.apps["plain"]
    mix = (Asked(request=app.request, expect=app.expect), Asked(request=Request(path=path), expect=expect))
    return replace(bench, apps={**bench.apps, "plain": replace(app, mix=mix)})


def test_every_request_of_a_mix_is_asked_before_any_load_and_after_it(bench: Bench) -> None:
    found = measure_step(mixed(bench, "/other", bench.apps["plain"].expect), Step(cell=CELL, round=1))
    assert isinstance(found, Measured), found


def test_a_request_of_a_mix_that_is_answered_wrongly_fails_the_step_before_any_load(bench: Bench) -> None:
    never = driven_by(bench, small_generator("import pathlib; pathlib.Path('driven').touch()", parse=refuse))
    found = measure_step(mixed(never, "/other", Expect(status=201)), Step(cell=CELL, round=1))
    assert isinstance(found, Failed)
    assert found.reason.startswith("before the load, asked GET /other of the mix, the server answered 200 instead of 201")


def test_a_setting_is_proven_once_before_its_first_sample_whatever_the_app(bench: Bench) -> None:
    cells = (CELL, replace(CELL, app="other"))
    records = all_of(bench, plan(*cells, rounds=2))
    assert [type(record) for record in records] == [Proof, Measured, Measured, Measured, Measured]
    assert sorted((s.cell_id, s.round) for s in records if isinstance(s, Measured)) == sorted(
        (cell.id, number) for cell in cells for number in (1, 2)
    )


def test_what_is_stored_is_not_done_again(bench: Bench) -> None:
    asked: list[Step] = []
    records = list(measured(bench, plan(CELL, rounds=3), (broke(1, Cause.NOISE), broke(3, Cause.NOISE)), asked.append))
    assert [type(record) for record in records] == [Proof, Measured]
    assert [step.round for step in asked] == [2]


def test_a_cell_that_was_given_up_before_the_interruption_is_not_started_after_it(bench: Bench) -> None:
    stored = (broke(1), broke(2), skipped(3))
    assert [type(record) for record in all_of(bench, plan(CELL, rounds=5), stored)] == [Proof, Skipped, Skipped]


def test_a_run_that_is_stored_whole_starts_nothing(bench: Bench) -> None:
    broken = replace(bench, venues={}, servers={})
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
    failing = driven_by(bench, small_generator(parse=refuse))
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
    kinds = {sample.cell_id: type(sample) for sample in samples if isinstance(sample, Measured | Failed)}
    assert kinds == {CELL.id: Failed, replace(CELL, app="other").id: Measured}


def test_a_quiet_server_leaves_no_log_and_its_failure_names_none(bench: Bench) -> None:
    sample = measure_step(driven_by(bench, small_generator(parse=refuse)), Step(cell=CELL, round=1))
    assert isinstance(sample, Failed)
    assert sample.log == ""
    assert list(bench.logs.iterdir()) == []


def test_what_the_system_refuses_fails_the_step_in_a_sentence_and_is_no_bug_of_ours(bench: Bench) -> None:
    nowhere = {"no/such/folder": "text"}
    server = replace(bench.servers["small"], files=lambda _: nowhere)
    generator = small_generator(files=nowhere)
    for broken in (replace(bench, servers={"small": server}), driven_by(bench, generator)):
        *_, sample = all_of(broken, plan(CELL))
        assert isinstance(sample, Failed)
        assert sample.cause is Cause.ENVIRONMENT
        assert "No such file or directory" in sample.reason


def test_an_interrupted_step_leaves_no_server_behind(bench: Bench) -> None:
    def interrupt(_: Shot, __: Outcome) -> LoadStats:
        raise KeyboardInterrupt

    records = measured(driven_by(bench, small_generator(parse=interrupt)), plan(CELL))
    assert isinstance(next(records), Proof)
    with pytest.raises(KeyboardInterrupt):
        next(records)


MISSING = "h2load missing: it is not here and could not be fetched (no network); type: apt install nghttp2-client"
OTHER = replace(CELL, protocol="h2c", load=replace(CELL.load, generator="h2load"))


def lacking(bench: Bench) -> Bench:
    """A bench on which one of two generators is missing, and no server for what it would drive."""
    drivers = {**bench.drivers, "h2load": Driver(plugin=small_generator(), missing=MISSING)}
    return replace(bench, drivers=drivers)


def test_what_a_missing_generator_would_drive_is_skipped_without_a_start_and_the_rest_is_measured(
    bench: Bench, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    source = f"import sys; open({str(starts)!r}, 'a').write('x')\n" + ANSWERING
    bench = replace(lacking(bench), servers={"small": small_server(source, "200", SAYS)})
    asked: list[Step] = []
    records = list(measured(bench, plan(OTHER, CELL, rounds=2), (), asked.append))
    skips = [record for record in records if isinstance(record, Skipped)]
    assert [(skip.cell_id, skip.reason) for skip in skips] == [(OTHER.id, MISSING)] * 2
    assert sorted(skip.round for skip in skips) == [1, 2]
    assert all(skip.started_at.endswith("Z") for skip in skips)
    assert [record.key for record in records if isinstance(record, Proof)] == ["small/h1/w1"]
    assert [record.cell_id for record in records if isinstance(record, Measured)] == [CELL.id] * 2
    assert starts.read_text() == "xxx", "one proof and two steps of the cell that can be driven"
    assert len(asked) == 4


def test_a_missing_generator_is_no_failure_of_the_cell_however_often(bench: Bench) -> None:
    """What was skipped for want of a generator is measured as soon as it is there, whatever is stored."""
    stored = tuple(Skipped(cell_id=CELL.id, round=number, started_at="", reason=MISSING) for number in (1, 2, 3))
    assert [type(record) for record in all_of(bench, plan(CELL, rounds=5), stored)] == [Proof, Measured, Measured]


def test_what_an_answer_is_on_the_wire_is_kept(bench: Bench) -> None:
    sample = measure_step(bench, Step(cell=CELL, round=1))
    assert isinstance(sample, Measured)
    assert sample.wire is not None
    assert (sample.wire.body_bytes, sample.wire.framing) == (len(SAYS), "content-length")
    assert sample.wire.head_bytes > len("HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    ("answer", "wire"),
    [
        (
            Answer(status=200, body=b"12345", head_bytes=130, framing="chunked"),
            Wire(head_bytes=130, body_bytes=5, framing="chunked"),
        ),
        (Answer(status=204, body=b"", head_bytes=9, framing="none"), Wire(head_bytes=9, body_bytes=0, framing="none")),
    ],
)
def test_the_wire_of_an_answer_is_its_head_its_body_and_its_framing(answer: Answer, wire: Wire) -> None:
    assert wire_of(answer) == wire


def test_an_alarm_of_the_server_fails_the_step_before_any_load(bench: Bench) -> None:
    def untouched(_: Shot, __: Outcome) -> LoadStats:
        pytest.fail("load was driven")

    source = "print('WARNING: going on without brakes', flush=True)\n" + ANSWERING
    alarmed = replace(small_server(source, "200", SAYS), alarms=("without brakes",))
    bench = replace(driven_by(bench, small_generator(parse=untouched)), servers={"small": alarmed})
    sample = measure_step(bench, Step(cell=CELL, round=1))
    assert isinstance(sample, Failed)
    assert sample.cause is Cause.SERVER
    assert sample.reason == "the server answers, but not as it should: its log says WARNING: going on without brakes"
    assert sample.log.startswith("logs/")


def test_a_certificate_that_cannot_be_written_fails_every_step_for_its_surroundings(bench: Bench) -> None:
    def files(launch: Launch) -> dict[str, str]:
        (Path(launch.folder) / "key.pem").mkdir()
        return {}

    cell = replace(CELL, protocol="h1s")
    broken = replace(bench, certificate=make_certificate(), servers={"small": replace(bench.servers["small"], files=files)})
    for sample in all_of(broken, plan(cell, rounds=2)):
        assert isinstance(sample, Failed)
        assert sample.cause is Cause.ENVIRONMENT
        assert sample.reason.startswith("the certificate could not be written: ")


def test_an_environment_that_could_not_be_made_fails_its_cells_and_the_others_are_measured(bench: Bench) -> None:
    pinned = replace(CELL, requires=("uvicorn==99",))
    venue = Venue(path="gone", failure="uvicorn==99 cannot be installed: there is no such version")
    records = all_of(replace(bench, venues={**bench.venues, wanted(pinned): venue}), plan(pinned, CELL, rounds=2))
    failed = [record for record in records if isinstance(record, Failed)]
    assert [(sample.cell_id, sample.cause, sample.reason) for sample in failed] == [
        (pinned.id, Cause.SERVER, venue.failure),
        (pinned.id, Cause.SERVER, venue.failure),
    ]
    assert [record.cell_id for record in records if isinstance(record, Measured)] == [CELL.id] * 2


def test_a_version_inside_that_is_not_the_one_asked_for_fails_the_cell_before_it_is_measured(bench: Bench) -> None:
    says = json.dumps({**json.loads(SAYS), "versions": {"gunicorn": "25.1.0"}})
    pinned = replace(CELL, requires=("gunicorn==27.0.1",))
    venue = Venue(path=sys.executable, pins=pinned.requires, versions={"gunicorn": "27.0.1"})
    bench = replace(
        bench, servers={"small": small_server(ANSWERING, "200", says)}, venues={**bench.venues, wanted(pinned): venue}
    )
    (sample,) = all_of(bench, plan(pinned))
    assert isinstance(sample, Failed)
    assert sample.reason == "gunicorn is 25.1.0 inside the server, but 27.0.1 was asked for"


def test_generators_are_calibrated_once_before_anything_else(bench: Bench) -> None:
    records = list(measure(bench, plan(CELL, rounds=2), run_of(ceilings=()), lambda _: None, at_paces()))
    assert [type(record) for record in records] == [Ceiling, Proof, Measured, Measured]
    (ceiling,) = (record for record in records if isinstance(record, Ceiling))
    assert (ceiling.generator, ceiling.protocol, ceiling.threads) == ("small", "h1", 1)


@pytest.mark.parametrize(
    ("stored", "rounds"),
    [
        (run_of(ceilings=CEILINGS[:1]), 1),
        (run_of(ceilings=(), schema=2), 1),
        (replace(run_of((broke(1),), ceilings=()), header=replace(HEADER, rounds=1)), 1),
    ],
    ids=["it has its ceiling", "an older schema has no place for one", "nothing is left to be measured"],
)
def test_a_run_that_goes_on_calibrates_nothing_where(bench: Bench, stored: Run, rounds: int) -> None:
    records = measure(bench, plan(CELL, rounds=rounds), stored, lambda _: None, at_paces())
    assert not [record for record in records if isinstance(record, Ceiling)]


OPEN = make_cell(rate_percent=30)


def test_an_open_loop_is_driven_at_the_pace_that_was_found_for_its_cell(bench: Bench) -> None:
    rates: list[float] = []

    def note(shot: Shot, _: Outcome) -> LoadStats:
        rates.append(shot.rate_per_s)
        return STATS

    pace = Pace(cell_id=OPEN.id, rate_per_s=1234.5, slowest=CELL.id)
    asked = plan(OPEN, CELL)
    records = list(measure(driven_by(bench, small_generator(parse=note)), asked, run_of(), lambda _: None, at_paces(pace)))
    assert [type(record) for record in records] == [Proof, Measured, Pace, Measured]
    assert [record.cell_id for record in records if isinstance(record, Measured | Pace)] == [CELL.id, OPEN.id, OPEN.id]
    assert rates == [0.0, 1234.5]


def test_an_open_loop_without_a_pace_is_skipped_with_the_reason_and_without_a_start(bench: Bench) -> None:
    broken = replace(bench, venues={}, servers={})
    (sample,) = list(measure(broken, plan(OPEN), run_of(), lambda _: None, at_paces()))
    assert isinstance(sample, Skipped)
    assert (sample.cell_id, sample.reason) == (OPEN.id, NO_PACE)


def test_a_simulation_is_asked_at_the_pace_that_was_found_for_its_cell() -> None:
    asked: dict[str, float] = {}

    def answer(question: Question) -> Window:
        asked[question.cell_id] = question.rate_per_s
        raise LoadFailure("asked is enough")

    pace = Pace(cell_id=OPEN.id, rate_per_s=1234.5, slowest=CELL.id)
    generator = replace(small_generator(), simulate=answer)
    records = list(simulate(generator, plan(OPEN, CELL), run_of(), {}, lambda _: None, course=at_paces(pace)))
    assert [type(record) for record in records] == [Failed, Pace, Failed]
    assert asked == {CELL.id: 0.0, OPEN.id: 1234.5}


def test_by_the_clock_a_run_ends_before_the_round_that_would_be_too_much_for_its_budget(bench: Bench) -> None:
    of, began_s = replace(plan(CELL, rounds=500), budget_s=3), time.monotonic()
    course = steer(of, run_of, lambda _: time.monotonic() - began_s)
    *_, last = records = list(measure(bench, of, run_of(), lambda _: None, course))
    assert last == Decision(round=sum(isinstance(one, Measured) for one in records), alpha=0.05, stopped=OUT_OF_TIME)
    assert time.monotonic() - began_s < OVERRUN * of.budget_s
