"""A verification: which settings are started, in which order, what is seen of each, and what is left in the folder."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix import generators, store
from servermatrix.config.overrides import Overrides
from servermatrix.contracts import Choice, Launch, Server
from servermatrix.errors import Exit, Unfit
from servermatrix.model import App, Cell, Expect, Plan, Validity, Verified
from servermatrix.prepare import Prepared, Setup, Wishes, prepare
from servermatrix.verification import both_worker_counts, total, verified
from tests.conftest import ROOT
from tests.room import make_cell, small_generator

# Answers on the port argv[1] as the witness does, and says that its loop is argv[2].
TELLING = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        told = {"witness": 1, "pid": os.getpid(), "loop": sys.argv[2], "http": "small.Http", "http_version": "1.1"}
        body = json.dumps({**told, "python": "3.13.0", "versions": {}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
ENDING = "import sys; sys.exit('small: this cannot be served')"


def argv(launch: Launch) -> list[str]:
    source = ENDING if launch.options["mode"] == "ends" else TELLING
    return [
        launch.python,
        "-S",
        "-c",
        source,
        str(launch.port),
        "other.Loop" if launch.options["mode"] == "lies" else "small.Loop",
    ]


def needs(launch: Launch) -> tuple[str, ...]:
    return ("no-such-package",) if launch.options["mode"] == "lacks" else ()


SMALL = Server(
    requires=(),
    options={"mode": Choice(values=("works", "ends", "lies", "lacks"), default="works")},
    protocols=("h1",),
    argv=argv,
    proof=lambda _: {"loop": "small."},
    needs=needs,
)
WITNESS = App(name="witness", target="none:app", folder="/nowhere", expect=Expect(contains='"witness"'))


def cell(mode: str = "works", *, workers: int = 1) -> Cell:
    return make_cell(workers=workers, options=(("mode", mode),))


def prepared(*cells: Cell) -> Prepared:
    return Prepared(
        plan=Plan(cells=cells, excluded=(), apps=(), rounds=1, seed=1),
        servers={"small": SMALL},
        apps={},
        witness=WITNESS,
        generators={"small": generators.Generator(name="small", plugin=small_generator())},
    )


def silent(_: str) -> None:
    """Take what is told to the user."""


def starts(folder: Path, *cells: Cell, excluded: tuple[tuple[Cell, str], ...] = ()) -> list[Verified]:
    setup = Setup(out=folder, argv=("verify",), ready_s=10)
    return list(verified(prepared(*cells), setup, excluded, silent))


def test_both_worker_counts_are_looked_at_unless_the_user_says_how_many() -> None:
    assert both_worker_counts(Wishes()).overrides.sets == (("workers", ("1", "2")),)
    others = Wishes(overrides=Overrides(sets=(("app", ("json",)),)))
    assert both_worker_counts(others).overrides.sets == (("app", ("json",)), ("workers", ("1", "2")))
    four = Wishes(overrides=Overrides(sets=(("workers", ("4",)),)))
    assert both_worker_counts(four) == four


def test_settings_are_counted_once_per_protocol_and_workers_whatever_the_apps_and_loads() -> None:
    overrides = Overrides(seed=1, sets=(("app", ("plaintext", "json")), ("protocol", ("h1", "h2"))), connections=(8, 16))
    wishes = both_worker_counts(Wishes(matrix=ROOT / "matrix.yaml", keep=("granian*",), overrides=overrides))
    found = prepare(wishes, find_tools=False)
    assert sum(not cell.duplicate for cell in found.plan.cells) == 2 * 2 * 2 * 2 * 2
    assert any(cell.duplicate for cell in found.plan.cells)
    assert total(found, ()) == 2 * 2 * 2
    again = (found.plan.cells[0], "it is among the others too")
    other = (replace(found.plan.cells[0], protocol="h3"), "granian does not speak h3")
    assert total(found, (again, other)) == 2 * 2 * 2 + 1


def test_a_setting_that_works_is_valid_with_what_it_said_of_itself_and_how_it_ended(tmp_path: Path) -> None:
    (seen,) = starts(tmp_path, cell())
    assert (seen.validity, seen.reason, seen.objection, seen.left) == (Validity.VALID, "", "", "")
    assert seen.proof is not None
    assert (seen.proof.loop, seen.proof.workers, seen.proof.http_version) == ("small.Loop", 1, "1.1")
    assert seen.ready_s is not None
    assert seen.stop_s is not None
    assert seen.exit_code is not None


def test_a_server_that_ends_fails_with_its_last_words_and_keeps_no_other_from_its_turn(tmp_path: Path) -> None:
    failed, after = starts(tmp_path, cell("ends"), cell())
    assert failed.validity is Validity.FAILED
    assert "exited with code 1 before it answered" in failed.reason
    assert "small: this cannot be served" in failed.reason
    assert (failed.exit_code, failed.ready_s, failed.proof) == (1, None, None)
    assert after.validity is Validity.VALID


def test_a_server_that_is_not_what_its_label_says_fails(tmp_path: Path) -> None:
    (seen,) = starts(tmp_path, cell("lies"))
    assert (seen.validity, seen.reason) == (Validity.FAILED, "loop is other.Loop, the label says small")


def test_a_setting_whose_package_is_missing_is_not_started(tmp_path: Path) -> None:
    (seen,) = starts(tmp_path, cell("lacks"))
    assert seen.validity is Validity.MISSING
    assert seen.reason.startswith("no-such-package is not installed; type: ")
    assert (seen.exit_code, seen.stop_s) == (None, None)


def test_what_is_excluded_comes_last_and_is_confirmed_when_it_fails_and_refuted_when_it_runs(tmp_path: Path) -> None:
    excluded = ((cell("ends"), "it ends at once"), (cell("works", workers=1), "listed already"), (cell("lies"), "it lies"))
    seen = starts(tmp_path, cell(), excluded=excluded)
    assert [(each.validity, each.objection) for each in seen] == [
        (Validity.VALID, ""),
        (Validity.CONFIRMED, "it ends at once"),
        (Validity.CONFIRMED, "it lies"),
    ]
    assert "this cannot be served" in seen[1].reason
    (refuted,) = starts(tmp_path, excluded=((cell(), "it is said not to work"),))
    assert (refuted.validity, refuted.proof is not None) == (Validity.REFUTED, True)


def test_logs_of_what_wrote_one_stay_and_nothing_else_does(tmp_path: Path) -> None:
    starts(tmp_path, cell(), cell("ends"))
    assert sorted(file.name for file in (tmp_path / "verify").iterdir()) == ["small_mode=ends_h1_w1_c8_plain-verify.log"]
    assert not [file for file in tmp_path.iterdir() if file.name.startswith("20")]


def test_another_run_in_the_same_folder_is_not_disturbed(tmp_path: Path) -> None:
    with store.locked(tmp_path), pytest.raises(Unfit) as caught:
        starts(tmp_path, cell())
    assert caught.value.exit_code == Exit.UNFIT
    assert not (tmp_path / "verify").exists()


def test_a_verification_that_is_left_off_gives_the_folder_free(tmp_path: Path) -> None:
    seen = verified(prepared(cell(), cell("ends")), Setup(out=tmp_path, argv=()), (), silent)
    assert isinstance(seen, Generator)
    next(seen)
    with pytest.raises(Unfit), store.locked(tmp_path):
        pass
    seen.close()
    with store.locked(tmp_path):
        pass
