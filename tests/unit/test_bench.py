"""One start of one server as a context: its folder, its environment, its log, and nothing of it left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.errors import Unfit
from servermatrix.measure import bench as module
from servermatrix.measure import logs
from servermatrix.measure.bench import (
    Bench,
    Started,
    Venue,
    check_alarms,
    check_log,
    launch_of,
    serving,
    start_server,
    stop_server,
    wanted,
    work_folder,
)
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.logs import log_name, trim_log
from servermatrix.measure.probe import port_is_free
from servermatrix.model import Cause, Cell
from tests.room import (
    ANSWERING,
    SLEEPER,
    alive,
    guarded,
    make_bench,
    make_cell,
    program,
    said,
    small_app,
    small_server,
    started,
    until,
)

TELL = "import os; print(os.environ.get('PYTHONPATH'), os.environ.get('MINE'), os.environ.get('WEB_CONCURRENCY'), flush=True)\n"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench whose work folders are made below the test's own folder."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with guarded() as guard:
        yield make_bench(tmp_path, guard)
    assert list((tmp_path / "tmp").iterdir()) == [], "a work folder was left behind"


def test_a_launch_says_all_that_a_command_line_may_depend_on() -> None:
    cell = make_cell(workers=3, options=(("http", "h11"), ("loop", "uvloop")))
    launch = launch_of(cell, python="py", target="a:b", port=7, folder="/f")
    assert (launch.python, launch.target, launch.host, launch.port) == ("py", "a:b", "127.0.0.1", 7)
    assert (launch.workers, launch.protocol, launch.folder) == (3, "h1", "/f")
    assert launch.options == {"http": "h11", "loop": "uvloop"}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("loop=uvloop,http=h11", "small_loop=uvloop,http=h11_h1_w1_c8_plain-round-2.log"),
        ("", "small_h1_w1_c8_plain-round-2.log"),
        ("../../etc/passwd", "small_.._.._etc_passwd_h1_w1_c8_plain-round-2.log"),
        ("ü *?", "small_h1_w1_c8_plain-round-2.log"),
    ],
)
def test_a_log_is_named_after_its_cell_in_harmless_characters(label: str, name: str) -> None:
    assert log_name(replace(make_cell(), label=label), "round-2") == name


def test_logs_of_different_settings_have_different_names() -> None:
    cells = [replace(make_cell(workers=n), label=label) for n in (1, 2) for label in ("loop=asyncio", "loop=uvloop", "")]
    assert len({log_name(cell, "witness") for cell in cells}) == len(cells)


def test_an_empty_log_is_removed_and_a_short_one_is_kept(tmp_path: Path) -> None:
    empty, short = tmp_path / "empty", tmp_path / "short"
    empty.touch()
    short.write_text("hello")
    for log in (empty, short, tmp_path / "missing"):
        trim_log(log)
    assert not empty.exists()
    assert short.read_text() == "hello"


def test_a_flooded_log_keeps_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first" + b"x" * 2 * logs.KEPT_LOG_BYTES)
    trim_log(log)
    assert log.stat().st_size == logs.KEPT_LOG_BYTES
    assert log.read_bytes().startswith(b"first")


def grown(running: Started, size: int) -> None:
    """Make a log longer, without writing all of it."""
    with running.running.log.open("r+b") as stream:
        stream.truncate(size)


def test_a_server_that_floods_its_log_fails(tmp_path: Path) -> None:
    with program(tmp_path, SLEEPER) as running:
        quiet = started(running, tmp_path)
        check_log(quiet)
        grown(quiet, module.LOG_LIMIT_BYTES + 1)
        with pytest.raises(StepFailure, match="the server wrote 16 MiB of log in one step") as caught:
            check_log(quiet)
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_a_server_that_was_asked_for_an_access_log_may_write_more_and_not_without_end(bench: Bench, tmp_path: Path) -> None:
    cell = make_cell(options=(("access_log", "on"),))
    for asked, limit in ((cell, module.ACCESS_LOG_LIMIT_BYTES), (make_cell(), module.LOG_LIMIT_BYTES)):
        with serving(bench, asked, small_app(), tmp_path / "log") as serves:
            grown(serves, limit)
            check_log(serves)
            grown(serves, limit + 1)
            with pytest.raises(StepFailure, match="MiB of log"):
                check_log(serves)
        (tmp_path / "log").unlink()


def test_an_alarm_in_the_log_fails_the_server_with_that_line(tmp_path: Path) -> None:
    source = "print('[1] WARNING going on without its brakes\\n[1] all is well', flush=True)\n" + SLEEPER
    with program(tmp_path, source) as running:
        assert said(running, "up")
        check_alarms(small_server(), started(running, tmp_path))
        check_alarms(replace(small_server(), alarms=("without its horn",)), started(running, tmp_path))
        alarmed = replace(small_server(), alarms=("without its horn", "without its brakes"))
        with pytest.raises(StepFailure, match=r"its log says \[1\] WARNING going on without its brakes$") as caught:
            check_alarms(alarmed, started(running, tmp_path))
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_what_an_earlier_start_has_written_is_not_taken_for_this_ones(bench: Bench, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ValueError: yesterday, without brakes\n")
    server = replace(small_server(SLEEPER), alarms=("without brakes",))
    with serving(replace(bench, servers={"small": server}), make_cell(), small_app(), log) as serves:
        assert said(serves.running, "up")
        check_alarms(server, serves)
    assert log.read_text() == "up\n"


def test_an_alarm_is_looked_for_where_servers_start_and_not_in_all_of_a_long_log(tmp_path: Path) -> None:
    alarmed = replace(small_server(), alarms=("broken",))
    with program(tmp_path, f"print('x' * {module.READ_LOG_BYTES} + 'broken'); {SLEEPER}") as running:
        assert said(running, "up")
        check_alarms(alarmed, started(running, tmp_path))


def test_a_server_is_started_in_a_folder_with_its_files_and_is_gone_afterwards(bench: Bench, tmp_path: Path) -> None:
    server = small_server("print(open('settings.toml').read(), flush=True)\n" + SLEEPER, files={"settings.toml": "a = 1"})
    log = tmp_path / "log"
    with serving(replace(bench, servers={"small": server}), make_cell(), small_app(), log) as started:
        assert said(started.running, "up")
        assert log.read_text() == "a = 1\nup\n"
        assert started.folder.is_dir()
        assert started.address.port > 1023
        session = started.running.session
    assert alive(session) == []
    assert log.read_text() == "a = 1\nup\n"


def test_a_server_sees_the_folder_of_its_app_and_none_of_our_settings(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "9")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    server = replace(small_server(TELL + SLEEPER), env=lambda _: {"MINE": "1"})
    with serving(replace(bench, servers={"small": server}), make_cell(), small_app(), tmp_path / "log") as started:
        assert said(started.running, "up")
        assert started.running.log.read_text().splitlines()[0] == "/nowhere 1 None"


def test_a_server_sees_the_variables_of_its_app_but_where_they_would_change_what_it_is(bench: Bench, tmp_path: Path) -> None:
    source = "import os; print(*map(os.environ.get, ('OF_APP', 'MINE', 'PYTHONPATH')), flush=True)\n"
    server = replace(small_server(source + SLEEPER), env=lambda _: {"MINE": "1"})
    app = replace(small_app(), env=(("MINE", "2"), ("OF_APP", "3"), ("PYTHONPATH", "/more")))
    with serving(replace(bench, servers={"small": server}), make_cell(), app, tmp_path / "log") as started:
        assert said(started.running, "up")
        assert started.running.log.read_text().splitlines()[0] == "3 1 /nowhere:/more"


def test_a_server_is_told_that_its_app_is_made_by_a_function_and_whether_to_run_its_lifespan() -> None:
    app = replace(small_app(), factory=True, lifespan="off")
    launch = launch_of(make_cell(), python="py", target="a:b", port=7, folder="/f", app=app)
    assert (launch.factory, launch.lifespan) == (True, "off")
    launch = launch_of(make_cell(), python="py", target="a:b", port=7, folder="/f")
    assert (launch.factory, launch.lifespan) == (False, "auto")


def test_a_server_may_open_as_many_files_as_its_connections_need(bench: Bench, tmp_path: Path) -> None:
    source = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)\n" + SLEEPER
    bench = replace(bench, servers={"small": small_server(source)})
    with serving(bench, make_cell(connections=200), small_app(), tmp_path / "log") as started:
        assert said(started.running, "up")
        assert int(started.running.log.read_text().split()[0]) >= 4 * 200


def test_the_port_is_the_one_that_was_picked(bench: Bench, tmp_path: Path) -> None:
    bench = replace(
        bench, pick_port=lambda _: 4321, servers={"small": small_server(f"import sys; print(sys.argv[1]); {SLEEPER}")}
    )
    with serving(bench, make_cell(), small_app(), tmp_path / "log") as started:
        assert said(started.running, "up")
        assert started.address.port == 4321
        assert "4321" in started.running.log.read_text()


def test_a_port_that_is_taken_ends_the_run_and_starts_nothing(bench: Bench, tmp_path: Path) -> None:
    def taken(_: str) -> int:
        raise Unfit("port 80 is taken")

    with pytest.raises(Unfit), serving(replace(bench, pick_port=taken), make_cell(), small_app(), tmp_path / "log"):
        pytest.fail("the server was started")
    assert not (tmp_path / "log").exists()


def test_a_server_that_is_not_there_is_a_fault_of_the_environment(bench: Bench, tmp_path: Path) -> None:
    server = replace(small_server(), argv=lambda _: ["no-such-server"])
    context = serving(replace(bench, servers={"small": server}), make_cell(), small_app(), tmp_path / "log")
    with pytest.raises(StepFailure, match=r"the server could not be started: .*no-such-server") as caught, context:
        pytest.fail("the server was started")
    assert (caught.value.cause, caught.value.fatal) == (Cause.ENVIRONMENT, True)
    assert not (tmp_path / "log").exists()


def test_an_app_is_started_by_the_target_that_speaks_the_interface_of_the_cell(bench: Bench, tmp_path: Path) -> None:
    app = replace(small_app(), twins=(("wsgi", "twin:app"),))
    source = f"import sys; print(sys.argv[1], flush=True); {SLEEPER}"
    server = replace(bench.servers["small"], argv=lambda launch: [sys.executable, "-S", "-c", source, launch.target])
    for interface, target in (("asgi", "none:app"), ("wsgi", "twin:app")):
        log = tmp_path / interface
        with serving(replace(bench, servers={"small": server}), replace(make_cell(), interface=interface), app, log) as running:
            assert said(running.running, "up")
        assert log.read_text().startswith(f"{target}\n")


def test_an_app_that_does_not_speak_the_interface_fails_and_starts_nothing(bench: Bench, tmp_path: Path) -> None:
    context = serving(bench, replace(make_cell(), interface="rsgi"), small_app(), tmp_path / "log")
    with pytest.raises(StepFailure, match="the app plain is not written for RSGI") as caught, context:
        pytest.fail("the server was started")
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)
    assert not (tmp_path / "log").exists()


def other_venue(tmp_path: Path) -> tuple[Cell, Venue]:
    """A cell that wants another interpreter, which is a link to this one."""
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    return replace(make_cell(), python="3.99", requires=("uvicorn==0.52.0",)), Venue(path=str(python))


def test_a_server_is_started_by_the_interpreter_that_its_cell_wants(bench: Bench, tmp_path: Path) -> None:
    cell, venue = other_venue(tmp_path)
    source = f"import sys; print(sys.executable, flush=True); {SLEEPER}"
    server = replace(bench.servers["small"], argv=lambda launch: [launch.python, "-S", "-c", source])
    bench = replace(bench, servers={"small": server}, venues={**bench.venues, wanted(cell): venue})
    for one, path in ((cell, venue.path), (make_cell(), sys.executable)):
        log = tmp_path / f"log of {one.python}"
        with serving(bench, one, small_app(), log) as running:
            assert said(running.running, "up")
        assert log.read_text().startswith(f"{path}\n")


def test_server_python_and_requirements_choose_the_interpreter_and_nothing_else_does() -> None:
    cell = make_cell()
    others = (replace(cell, server="other"), replace(cell, python="3.13"), replace(cell, requires=("h11<1",)))
    assert len({wanted(one) for one in (cell, *others)}) == 4
    assert wanted(replace(cell, protocol="h2", workers=4, app="body", options=(("loop", "x"),))) == wanted(cell)


@pytest.mark.parametrize("protocol", ["h1", "h1s", "h2c", "h2"])
def test_a_server_is_spoken_to_in_the_protocol_of_its_cell(bench: Bench, tmp_path: Path, protocol: str) -> None:
    with serving(bench, replace(make_cell(), protocol=protocol), small_app(), tmp_path / "log") as running:
        assert running.address.protocol == protocol


def test_how_a_server_ended_is_told(bench: Bench, tmp_path: Path) -> None:
    polite = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + SLEEPER
    bench = replace(bench, servers={"small": small_server(polite)})
    with work_folder(tmp_path / "log") as folder:
        running = start_server(bench, make_cell(), small_app(), tmp_path / "log", folder)
        assert said(running.running, "up")
        ended = stop_server(bench, running)
    assert (ended.exit_code, ended.processes, ended.listeners) == (7, (), ())
    assert 0 < ended.after_s < 5
    assert not folder.exists()


@pytest.mark.parametrize("reason", [KeyboardInterrupt, RuntimeError])
def test_a_work_folder_is_removed_and_the_log_trimmed_whatever_happens(tmp_path: Path, reason: type[BaseException]) -> None:
    def interrupted(folder: Path) -> None:
        folders.append(folder)
        (folder / "file").touch()
        raise reason

    log, folders = tmp_path / "log", list[Path]()
    log.touch()
    with pytest.raises(reason), work_folder(log) as folder:
        interrupted(folder)
    assert not folders[0].exists()
    assert not log.exists()


@pytest.mark.parametrize("reason", [KeyboardInterrupt, StepFailure(Cause.NOISE, "loud"), SystemExit])
def test_whatever_interrupts_a_step_the_server_is_stopped(
    bench: Bench, tmp_path: Path, reason: type[BaseException] | BaseException
) -> None:
    sessions: list[int] = []
    ends = contextlib.suppress(KeyboardInterrupt, StepFailure, SystemExit)
    with ends, serving(bench, make_cell(), small_app(), tmp_path / "log") as started:
        sessions.append(started.running.session)
        raise reason
    assert len(sessions) == 1
    assert alive(sessions[0]) == []


def test_a_server_that_ends_by_itself_leaves_its_children_to_be_stopped(bench: Bench, tmp_path: Path) -> None:
    source = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {SLEEPER!r}])"
    begin = time.monotonic()
    with serving(replace(bench, servers={"small": small_server(source)}), make_cell(), small_app(), tmp_path / "log") as started:
        assert said(started.running, "up")
        session = started.running.session
    assert alive(session) == []
    assert time.monotonic() - begin < 10


def test_the_small_server_of_these_tests_is_a_list_of_words() -> None:
    launch = launch_of(make_cell(), python=sys.executable, target="a:b", port=7, folder="")
    assert small_server(ANSWERING, "500", "no").argv(launch)[-3:] == ["7", "500", "no"]


def test_a_very_long_cell_gets_a_log_name_that_every_file_system_takes_and_no_other_cell_has() -> None:
    names = {log_name(replace(make_cell(), app="a" * 300 + end), "round-1") for end in ("x", "y")}
    assert len(names) == 2
    assert all(len(name) < 255 for name in names)


def test_a_listener_that_outlives_its_server_fails_the_step(tmp_path: Path) -> None:
    """A server that gives its socket to a process in a session of its own is not ended by ending its session."""
    runaway = (
        "import os, socket, sys, time\n"
        "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    time.sleep(6)\n"
        "    os._exit(0)\n"
        "time.sleep(60)\n"
    )
    with guarded() as guard:
        bench = make_bench(tmp_path, guard, server=small_server(runaway))
        with (
            pytest.raises(StepFailure, match="is still listened on by process"),
            serving(bench, make_cell(), bench.apps["plain"], tmp_path / "server.log") as started,
        ):
            assert until(lambda: not port_is_free("127.0.0.1", started.address.port))


def test_the_app_of_a_cell_is_imported_from_the_folder_of_its_side(tmp_path: Path) -> None:
    with guarded() as guard:
        bench = replace(make_bench(tmp_path, guard), app_dirs={"candidate": "/new"})
    cell = make_cell()
    plain = bench.apps[cell.app]
    assert bench.app(cell) == bench.app(replace(cell, side="baseline")) == plain
    assert bench.app(replace(cell, side="candidate")) == replace(plain, folder="/new")
