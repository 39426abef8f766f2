"""Combinations are started on the witness: what ran, how it ended, and whether what is excluded really does not run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from servermatrix.contracts import Launch, Server
from servermatrix.measure import verify as module
from servermatrix.measure import witness
from servermatrix.measure.bench import Bench, Stopped, Venue, wanted
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.probe import Patience, free_port, port_is_free
from servermatrix.measure.verify import Suspect, suspects, verify
from servermatrix.model import Cell, Expect, Validity, Verified
from tests.room import ANSWERING, SLEEPER, SMALL, alive, guarded, make_bench, make_cell, program, small_server, until

SAYS = json.dumps({"pid": 1, "loop": "a.B", "http": "c.D", "http_version": "1.1", "python": "3.12.1", "versions": {"b": "2"}})
POLITE = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + ANSWERING
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + ANSWERING
# When it is to end it leaves its socket to a process in a session of its own, which ends by itself a little later.
RUNAWAY = (
    """
import os, signal, time
def flee(*_):
    if os.fork() == 0:
        os.setsid()
        time.sleep(6)
    os._exit(0)
signal.signal(signal.SIGTERM, flee)
"""
    + ANSWERING
)
CELL = make_cell()
OBJECTION = "small servers do not swim, and end with an error when they are made to"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench whose server is a witness, and whose work folders are made below the test's own folder."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with guarded() as guard:
        made = make_bench(tmp_path, guard, server=small_server(POLITE, "200", SAYS))
        yield replace(made, witness=replace(made.witness, expect=Expect(contains="pid")))
    assert list((tmp_path / "tmp").iterdir()) == [], "a work folder was left behind"


def with_server(bench: Bench, source: str, *words: str) -> Bench:
    return replace(bench, servers={"small": small_server(source, *(words or ("200", SAYS)))})


def one(bench: Bench, cell: Cell = CELL, objection: str = "") -> Verified:
    (seen,) = verify(bench, [Suspect(cell=cell, objection=objection)])
    assert (seen.cell, seen.objection) == (cell, objection)
    assert "\n" not in seen.reason
    return seen


def test_what_works_is_valid_with_what_really_ran_and_how_it_ended(bench: Bench) -> None:
    seen = one(bench)
    assert (seen.validity, seen.reason, seen.left) == (Validity.VALID, "", "")
    assert seen.proof is not None
    assert (seen.proof.loop, seen.proof.http, seen.proof.versions) == ("a.B", "c.D", (("b", "2"),))
    assert seen.exit_code == 7
    assert 0 < (seen.ready_s or 0) < 5
    assert 0 <= (seen.stop_s or 0) < 5
    assert list(bench.logs.iterdir()) == []


def test_what_is_not_as_its_label_says_failed_and_is_stopped(bench: Bench) -> None:
    server = replace(bench.servers["small"], proof=lambda _: {"loop": "uvloop."})
    seen = one(replace(bench, servers={"small": server}))
    assert (seen.validity, seen.reason) == (Validity.FAILED, "loop is a.B, the label says uvloop")
    assert (seen.proof, seen.ready_s, seen.exit_code) == (None, None, 7)


@pytest.mark.parametrize("code", [0, 3])
def test_what_ends_by_itself_failed_with_its_last_words_and_its_exit_code(bench: Bench, code: int) -> None:
    seen = one(with_server(bench, f"import sys; print('OSError: no room', flush=True); sys.exit({code})"))
    assert seen.validity is Validity.FAILED
    assert seen.reason == f"the server exited with code {code} before it answered: OSError: no room"
    assert (seen.exit_code, seen.ready_s, seen.left) == (code, None, "")
    assert [log.read_text() for log in bench.logs.iterdir()] == ["OSError: no room\n"]


def test_what_never_answers_failed_in_bounded_time(bench: Bench) -> None:
    bench = replace(with_server(bench, SLEEPER), patience=replace(bench.patience, ready_s=0.5))
    seen = one(bench)
    assert seen.validity is Validity.FAILED
    assert seen.reason.startswith("not ready after ")
    assert seen.exit_code == -15


def missing_package(bench: Bench) -> Bench:
    server = replace(bench.servers["small"], requires=("rloop>=0.2",), argv=untouched)
    return replace(bench, servers={"small": server}, venues={SMALL: Venue(path=sys.executable, versions={"rloop": None})})


def untouched(_: Launch) -> list[str]:
    pytest.fail("the server was started")


@pytest.mark.parametrize("objection", ["", OBJECTION])
def test_what_is_not_installed_is_neither_valid_nor_failed_nor_confirmed(bench: Bench, objection: str) -> None:
    seen = one(missing_package(bench), objection=objection)
    assert seen.validity is Validity.MISSING
    assert seen.reason.startswith("rloop is not installed; type: ")
    assert (seen.exit_code, seen.stop_s, seen.ready_s, seen.proof) == (None, None, None, None)


@pytest.mark.parametrize("objection", ["", OBJECTION])
def test_an_environment_that_could_not_be_made_fails_and_confirms_nothing(bench: Bench, objection: str) -> None:
    pinned = replace(CELL, requires=("uvicorn==99",))
    venue = Venue(path="gone", failure="uvicorn==99 cannot be installed: there is no such version")
    seen = one(replace(bench, venues={wanted(pinned): venue}), pinned, objection)
    assert (seen.validity, seen.reason) == (Validity.FAILED, venue.failure)
    assert (seen.exit_code, seen.stop_s) == (None, None)


def test_what_is_excluded_and_does_not_run_is_confirmed_with_what_happened(bench: Bench) -> None:
    seen = one(with_server(bench, "raise SystemExit('ValueError: no such stroke')"), objection=OBJECTION)
    assert seen.validity is Validity.CONFIRMED
    assert seen.reason == "the server exited with code 1 before it answered: ValueError: no such stroke"
    assert (seen.exit_code, seen.proof) == (1, None)


def test_what_is_excluded_and_is_not_as_its_label_says_is_confirmed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "LIMIT_S", 0.5)
    seen = one(bench, replace(CELL, workers=2), OBJECTION)
    assert seen.validity is Validity.CONFIRMED
    assert seen.reason == "1 worker processes answered, the label says 2"


def test_what_is_excluded_and_runs_after_all_is_refuted(bench: Bench) -> None:
    seen = one(bench, objection=OBJECTION)
    assert (seen.validity, seen.reason) == (Validity.REFUTED, "")
    assert seen.proof is not None
    assert seen.ready_s is not None


def refusing(bench: Bench) -> Bench:
    """A bench on which the system refuses a file of the server."""
    return replace(bench, servers={"small": replace(bench.servers["small"], files=lambda _: {"no/such/folder": ""})})


def blocked(bench: Bench) -> Bench:
    """A bench on which the certificate cannot be written."""

    def files(launch: Launch) -> dict[str, str]:
        (Path(launch.folder) / "key.pem").mkdir()
        return {}

    return replace(bench, certificate=make_certificate(), servers={"small": replace(bench.servers["small"], files=files)})


def gone(bench: Bench) -> Bench:
    """A bench whose server is no program."""
    return replace(bench, servers={"small": replace(bench.servers["small"], argv=lambda _: ["no-such-server"])})


@pytest.mark.parametrize("objection", ["", OBJECTION])
@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (refusing, "the system refused what the measurement needs: "),
        (blocked, "the certificate could not be written: "),
        (gone, "the server could not be started: "),
    ],
)
def test_what_could_not_be_tried_failed_and_confirms_nothing(
    bench: Bench, broken: Callable[[Bench], Bench], sentence: str, objection: str
) -> None:
    seen = one(broken(bench), replace(CELL, protocol="h1s"), objection)
    assert seen.validity is Validity.FAILED
    assert seen.reason.startswith(sentence)


def test_a_stranger_on_the_port_confirms_nothing(bench: Bench, tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    (tmp_path / "other").mkdir()
    with program(tmp_path / "other", ANSWERING, str(port), "200", SAYS):
        assert until(lambda: not port_is_free("127.0.0.1", port))
        seen = one(replace(bench, pick_port=lambda _: port), objection=OBJECTION)
    assert seen.validity is Validity.FAILED
    assert "is also listened on by another program" in seen.reason


def test_a_server_that_leaves_a_listener_behind_is_not_valid(bench: Bench) -> None:
    seen = one(with_server(bench, RUNAWAY))
    assert seen.validity is Validity.FAILED
    assert seen.left.startswith("a listener of process ")
    assert seen.reason == f"left behind after the stop: {seen.left}"
    assert seen.proof is not None
    assert until(lambda: not alive(int(seen.left.split()[-1])), 12.0)


def test_a_server_that_leaves_processes_behind_is_not_valid_and_they_are_named() -> None:
    valid = Verified(cell=CELL, validity=Validity.VALID, reason="", ready_s=0.1)
    stopped = Stopped(exit_code=0, after_s=12.345, processes=(7, 9), listeners=("11",))
    seen = module._with_end(valid, stopped)
    assert seen.left == "process 7, process 9, a listener of process 11"
    assert (seen.validity, seen.exit_code, seen.stop_s) == (Validity.FAILED, 0, 12.35)
    for validity in (Validity.CONFIRMED, Validity.REFUTED):
        other = module._with_end(replace(valid, validity=validity, reason="it sank"), stopped)
        assert (other.validity, other.reason, other.left) == (Validity.FAILED, seen.reason, seen.left)
    failed = module._with_end(replace(valid, validity=Validity.FAILED, reason="it sank"), stopped)
    assert (failed.validity, failed.reason, failed.left) == (Validity.FAILED, "it sank", seen.left)


def test_a_server_that_does_not_stop_in_time_is_ended_and_how_long_that_took_is_told(bench: Bench) -> None:
    seen = one(with_server(bench, DEAF))
    assert (seen.validity, seen.exit_code, seen.left) == (Validity.VALID, -9, "")
    assert bench.patience.stop_s < (seen.stop_s or 0) < Patience().stop_s


def test_one_that_fails_keeps_no_other_from_its_turn(bench: Bench) -> None:
    bad = replace(CELL, server="bad")
    servers: dict[str, Server] = {**bench.servers, "bad": small_server("raise SystemExit(1)")}
    bench = replace(bench, servers=servers, venues={**bench.venues, wanted(bad): bench.venues[SMALL]})
    everything = [Suspect(cell=bad), Suspect(cell=CELL), Suspect(cell=bad, objection=OBJECTION)]
    assert [seen.validity for seen in verify(bench, everything)] == [Validity.FAILED, Validity.VALID, Validity.CONFIRMED]


def children() -> list[int]:
    """List the processes that this one has started."""
    return [process.pid for process in psutil.Process().children()]


def test_an_interrupted_verification_leaves_no_server_behind(bench: Bench) -> None:
    sessions: list[int] = []

    def interrupt(_: Launch) -> dict[str, str]:
        sessions.extend(child for child in children() if child not in sessions)
        raise KeyboardInterrupt

    before = children()
    server = replace(bench.servers["small"], proof=interrupt)
    with pytest.raises(KeyboardInterrupt):
        one(replace(bench, servers={"small": server}))
    (session,) = set(sessions) - set(before)
    assert alive(session) == []


def test_each_setting_protocol_and_worker_count_is_started_once_whatever_app_and_load() -> None:
    two = replace(CELL, workers=2)
    cells = (CELL, replace(CELL, app="body"), replace(CELL, load=replace(CELL.load, connections=512)), two)
    excluded = ((replace(CELL, protocol="h2"), "it cannot"), (replace(CELL, protocol="h2", app="body"), "it cannot"))
    found = suspects(cells, excluded)
    assert [(suspect.cell, suspect.objection) for suspect in found] == [(CELL, ""), (two, ""), (excluded[0][0], "it cannot")]


def test_what_runs_with_one_app_is_not_doubted_because_it_is_excluded_with_another() -> None:
    (only,) = suspects([CELL], [(replace(CELL, app="body"), "by matrix.yaml")])
    assert only.objection == ""
