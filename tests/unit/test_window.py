"""One window of load: what is taken from it, when it is tried again, and when it is refused."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from servermatrix.contracts import LoadFailure, LoadGenerator, LoadStats, Outcome, Shot
from servermatrix.measure import window
from servermatrix.measure.bench import LOG_LIMIT_BYTES, Bench, Driver, Started
from servermatrix.measure.client import Answer
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.probe import Patience
from servermatrix.measure.usage import HostCpu, ProcessCpu, Reading
from servermatrix.measure.window import (
    Midway,
    check_clock,
    check_noise,
    drive,
    make_shot,
    measure,
    measure_once,
    used_between,
    wait_for_quiet,
    warm_up,
    watch,
)
from servermatrix.model import App, Asked, Cause, Cell, Noise, Request, Usage
from tests.room import FAMILY, SLEEPER, STATS, guarded, make_bench, make_cell, program, said, small_app, small_generator, started

CELL, APP = make_cell(), small_app()
RIGHT = Answer(status=200, body=b"ok")
WORK = "import time\nwhile time.process_time() < 0.2: pass\n"


# Takes as many connections as it is told, keeps them, and writes as many bytes of log.
TAKING = """
import socket, sys
count, port_file = int(sys.argv[1]), sys.argv[2]
with socket.create_server(("127.0.0.1", 0)) as listener:
    open(port_file + ".new", "w").write(str(listener.getsockname()[1]))
    import os, time; os.rename(port_file + ".new", port_file)
    print("up", flush=True)
    keep = [listener.accept() for _ in range(count)]
    grown = bytearray(30_000_000)
    for at in range(0, len(grown), 4096): grown[at] = 1
    print("x" * 1000, flush=True)
    time.sleep(60)
"""
# A server of two processes: the child takes connections, the parent none.
TAKING_FAMILY = (
    f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-S', '-c', {TAKING!r}, *sys.argv[1:]])\ntime.sleep(60)"
)
# Opens so many connections at once and holds them for so long.
CALLING = """
import socket, time
port, count, seconds = int(open({port!r}).read()), {count}, {seconds}
keep = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
time.sleep(seconds)
"""


def reading(
    at_us: int, busy_us: int, processes: dict[int, int], *, own_us: int = 0, other: int = 0, opens: int | None = None
) -> Reading:
    return Reading(
        host=HostCpu(at_us=at_us, busy_us=busy_us, steal_us=other, cores=2),
        processes={pid: ProcessCpu(ticks_us=us, thread_ns={}) for pid, us in processes.items()},
        own_us=own_us,
        throttled_us=other,
        involuntary_switches=other,
        active_opens=opens,
    )


def test_usage_is_the_difference_of_two_readings() -> None:
    before = reading(1_000_000, 5_000_000, {1: 100, 2: 200, 3: 300}, own_us=50, other=10)
    after = reading(2_000_000, 6_500_000, {1: 300_100, 2: 900_200, 9: 70}, own_us=100_050, other=40_010)
    assert used_between(before, after, 100_000, 4096) == Usage(
        wall_us=1_000_000,
        server_cpu_us=1_200_000,
        worker_cpu_us=(900_000, 300_000),
        generator_cpu_us=100_000,
        own_cpu_us=100_000,
        pss_bytes=4096,
        foreign_cpu=0.1,
        steal=0.02,
        throttled_us=40_000,
        involuntary_switches=40_000,
    )


def test_where_memory_is_not_told_it_stays_unknown() -> None:
    assert used_between(reading(0, 0, {}), reading(1, 0, {}), 0, None).pss_bytes is None


def test_connections_are_in_the_order_of_the_processes_that_have_them_busiest_first() -> None:
    before, after = reading(0, 0, {1: 0, 2: 0, 3: 0}), reading(1, 0, {1: 5, 2: 900, 3: 300})
    used = used_between(before, after, 0, None, {1: 0, 3: 40, 2: 24})
    assert (used.worker_cpu_us, used.worker_connections) == ((900, 300, 5), (24, 40, 0))


@pytest.mark.parametrize("seen", [None, {}])
def test_connections_that_were_not_looked_at_are_no_zeros(seen: dict[int, int] | None) -> None:
    assert used_between(reading(0, 0, {1: 0}), reading(1, 0, {1: 5}), 0, None, seen).worker_connections == ()


@pytest.mark.parametrize(
    ("before", "after", "connects"), [(100, 164, 64), (None, 164, None), (100, None, None), (None, None, None)]
)
def test_opened_connections_are_counted_where_both_readings_tell_them(
    before: int | None, after: int | None, connects: int | None
) -> None:
    assert used_between(reading(0, 0, {}, opens=before), reading(1, 0, {}, opens=after), 0, None).connects == connects


def clocked(at_us: int, clock_us: int) -> Reading:
    return replace(reading(at_us, 0, {}), clock_us=clock_us)


@pytest.mark.parametrize(
    ("step_us", "sentence"),
    [
        (3_600_000_000, "the clock of this machine was set forward by 3600.00 s during the window"),
        (-250_000, "the clock of this machine was set back by 0.25 s during the window"),
    ],
)
def test_a_window_during_which_the_clock_was_set_does_not_count(step_us: int, sentence: str) -> None:
    check_clock(clocked(0, 7), clocked(2_000_000, 7))
    check_clock(clocked(0, 7), clocked(2_000_000, 1_000))  # a clock that is slewed
    with pytest.raises(StepFailure) as caught:
        check_clock(clocked(0, 7), clocked(2_000_000, 7 + step_us))
    assert (caught.value.cause, caught.value.reason, caught.value.fatal) == (Cause.NOISE, sentence, False)


CALM = Usage(
    wall_us=1, server_cpu_us=1, worker_cpu_us=(1,), generator_cpu_us=1, own_cpu_us=0, pss_bytes=1, foreign_cpu=0.1, steal=0.02
)


def test_a_window_at_the_limits_counts() -> None:
    check_noise(CALM, Noise())
    with pytest.raises(StepFailure):
        check_noise(CALM, Noise(foreign_cpu=0.09))
    with pytest.raises(StepFailure):
        check_noise(CALM, Noise(steal=0.01))


@pytest.mark.parametrize(
    ("noisy", "sentence"),
    [
        (replace(CALM, foreign_cpu=0.34), "other programs used 34% of a core during the window"),
        (replace(CALM, steal=0.031), "the host took away 3.1% of the CPU time during the window"),
        (replace(CALM, throttled_us=12_000), "a CPU quota held this container back for 12 ms"),
    ],
)
def test_a_disturbed_window_is_refused_as_noise_that_may_pass(noisy: Usage, sentence: str) -> None:
    with pytest.raises(StepFailure) as caught:
        check_noise(noisy, Noise())
    assert (caught.value.cause, caught.value.reason, caught.value.fatal) == (Cause.NOISE, sentence, False)


@contextmanager
def room(tmp_path: Path, generator: LoadGenerator, source: str = SLEEPER, *words: str) -> Iterator[tuple[Bench, Started]]:
    """A bench with a generator, and a running program for a server."""
    folder = tmp_path / "work"
    folder.mkdir()
    with guarded() as guard, program(tmp_path, source, *words) as running:
        assert said(running, "up")
        yield make_bench(tmp_path, guard, generator=generator), started(running, folder)


def shot(bench: Bench, running: Started, cell: Cell = CELL, app: App = APP) -> Shot:
    return make_shot(bench, running, cell, app, RIGHT)


@dataclass
class Results:
    """A parse function that fails as often as told, and keeps what it was given."""

    failures: int = 0
    stats: LoadStats = STATS
    noise: bool = False
    seen: list[tuple[Shot, Outcome]] = field(default_factory=list)

    def __call__(self, shot: Shot, outcome: Outcome) -> LoadStats:
        self.seen.append((shot, outcome))
        if len(self.seen) <= self.failures:
            raise LoadFailure(f"no good {len(self.seen)}", noise=self.noise)
        return self.stats


def test_a_window_holds_what_the_generator_saw_and_what_it_used(tmp_path: Path) -> None:
    with room(tmp_path, small_generator(WORK)) as (bench, running):
        found = measure_once(bench, running, bench.driver(CELL), shot(bench, running))
    assert found.stats == STATS
    assert 0.15e6 < found.usage.generator_cpu_us < 2e6
    assert found.usage.wall_us > 0.15e6
    assert len(found.usage.worker_cpu_us) == 1
    assert (found.usage.pss_bytes or 0) > 1_000_000
    assert found.discarded == ()


def test_the_cpu_of_an_earlier_window_is_not_charged_to_this_one(tmp_path: Path) -> None:
    source = "import os, time\nif not os.path.exists('once'):\n    open('once', 'w')\n    while time.process_time() < 0.6: pass"
    with room(tmp_path, small_generator(source)) as (bench, running):
        first, second = (
            measure_once(bench, running, bench.driver(CELL), shot(bench, running)).usage.generator_cpu_us for _ in range(2)
        )
    assert first > 0.5e6
    assert second < 0.5e6


def test_a_clock_that_is_set_while_a_generator_runs_costs_the_window_whatever_the_generator_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_set, real = tmp_path / "set", time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 90_000_000_000 * is_set.exists())
    with room(tmp_path, small_generator(f"open({str(is_set)!r}, 'w')")) as (bench, running):
        with pytest.raises(StepFailure, match=r"the clock of this machine was set back by 90.00 s") as caught:
            measure_once(bench, running, bench.driver(CELL), shot(bench, running))
        measure_once(bench, running, bench.driver(CELL), shot(bench, running))  # the next window has one clock from end to end
    assert (caught.value.cause, caught.value.fatal) == (Cause.NOISE, False)


@contextmanager
def taking(tmp_path: Path, count: int, seconds: float, source: str = TAKING_FAMILY) -> Iterator[tuple[Bench, Started]]:
    """A server that takes `count` connections, and a generator that opens and holds them."""
    port = tmp_path / "port"
    calling = CALLING.format(port=str(port), count=count, seconds=seconds)
    with room(tmp_path, small_generator(calling), source, str(count), str(port)) as (bench, running):
        yield bench, replace(running, address=replace(running.address, port=int(port.read_text())))


def test_connections_are_counted_by_process_in_the_middle_of_a_window_with_several_workers(tmp_path: Path) -> None:
    with taking(tmp_path, 12, 1.5) as (bench, running):
        used = measure(bench, running, make_cell(workers=2), shot(bench, running)).usage
    assert len(used.worker_cpu_us) == 2
    assert used.worker_connections == (12, 0)  # the child takes them, and works more than its parent
    assert used.connects is not None
    assert used.connects >= 12


def test_connections_of_one_worker_are_not_looked_at(tmp_path: Path) -> None:
    with taking(tmp_path, 3, 1.5) as (bench, running):
        assert measure(bench, running, make_cell(), shot(bench, running)).usage.worker_connections == ()


def test_a_window_that_is_over_before_its_middle_has_nothing_to_say_of_connections(tmp_path: Path) -> None:
    with taking(tmp_path, 3, 0.0) as (bench, running):
        used = measure(bench, running, make_cell(workers=2, duration_s=20), shot(bench, running, make_cell(duration_s=20))).usage
    assert used.worker_connections == ()


def test_memory_before_the_load_and_what_the_log_grew_by_are_kept(tmp_path: Path) -> None:
    with taking(tmp_path, 2, 1.0, TAKING) as (bench, running):
        used = measure(bench, running, CELL, shot(bench, running)).usage
    assert used.pss_before_bytes is not None
    assert used.pss_bytes is not None
    assert used.pss_bytes - used.pss_before_bytes > 25_000_000
    assert used.log_bytes == 1001


def test_looking_midway_costs_one_look(tmp_path: Path) -> None:
    with program(tmp_path, SLEEPER) as running:
        assert said(running, "up")
        early = Midway(before={running.session: 0}, due_s=time.monotonic() + 60)
        early.look()
        assert early.connections == {}
        due = Midway(before={running.session: 0}, due_s=time.monotonic())
        due.look()
        assert due.connections == {running.session: 0}
    due.look()  # a second look would find that it has ended
    assert due.connections == {running.session: 0}


def test_a_machine_that_is_never_quiet_is_waited_for_and_the_window_is_driven_all_the_same(tmp_path: Path) -> None:
    loud = Noise(foreign_cpu=-1.0, steal=1.0)
    with room(tmp_path, small_generator()) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(replace(bench, noise=loud, patience=Patience(quiet_s=0.2)), running, CELL, shot(bench, running))
    assert re.fullmatch(
        r"other programs used \d+% of a core during the window, and this machine did not become quiet before it",
        caught.value.reason,
    )
    assert caught.value.cause is Cause.NOISE


@pytest.mark.usefixtures("calm")
def test_a_machine_that_is_quiet_between_windows_is_not_blamed(tmp_path: Path) -> None:
    with room(tmp_path, small_generator()) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(replace(bench, noise=Noise(foreign_cpu=99, steal=-1.0)), running, CELL, shot(bench, running))
    assert caught.value.reason.endswith("of the CPU time during the window")


def test_the_cpu_of_every_process_of_the_server_is_counted(tmp_path: Path) -> None:
    busy = "import time\nprint('up', flush=True)\nwhile True: time.process_time()"
    with room(tmp_path, small_generator("import time; time.sleep(0.5)"), FAMILY, busy) as (bench, running):
        usage = measure_once(bench, running, bench.driver(CELL), shot(bench, running)).usage
    assert len(usage.worker_cpu_us) == 2
    assert usage.worker_cpu_us[0] > 0.1e6
    assert usage.server_cpu_us == sum(usage.worker_cpu_us)


def test_the_generator_is_told_what_to_ask_how_hard_and_what_is_right(tmp_path: Path) -> None:
    results = Results()
    app = small_app(status=404)
    with room(tmp_path, small_generator(parse=results)) as (bench, running):
        wanted = shot(bench, running, make_cell(connections=32, threads=2, duration_s=1), app)
        measure_once(bench, running, bench.driver(CELL), wanted)
    (made, _) = results.seen[0]
    assert made.url == "http://127.0.0.1:1/"
    assert (made.connections, made.threads, made.duration_s) == (32, 2, 1)
    assert made.timeout_s > made.duration_s
    assert made.expect_status == 404  # was a bug: None, so that no generator accepted a right answer of 404
    assert made.folder == str(running.folder)


@pytest.mark.parametrize(
    ("protocol", "url"),
    [
        ("h1", "http://127.0.0.1:1/x"),
        ("h1s", "https://127.0.0.1:1/x"),
        ("h2c", "http://127.0.0.1:1/x"),
        ("h2", "https://127.0.0.1:1/x"),
    ],
)
def test_the_generator_is_told_the_protocol_and_asks_the_same_path(tmp_path: Path, protocol: str, url: str) -> None:
    app = replace(APP, request=Request(method="POST", path="/x", body="{}"))
    with room(tmp_path, small_generator()) as (bench, running):
        made = shot(bench, running, replace(CELL, protocol=protocol), app)
    assert (made.protocol, made.url, made.request) == (protocol, url, app.request)


def test_the_generator_is_told_streams_new_connections_and_the_size_of_a_right_answer(tmp_path: Path) -> None:
    cell = make_cell(streams=10, requests_per_connection=7)
    with room(tmp_path, small_generator()) as (bench, running):
        made = make_shot(bench, running, cell, APP, Answer(status=200, body=b"seven b"))
    assert (made.streams, made.requests_per_connection, made.body_bytes) == (10, 7, 7)


def test_the_generator_is_told_a_mix_whose_answers_have_no_one_size(tmp_path: Path) -> None:
    mix = (Asked(request=Request(path="/a"), weight=2), Asked(request=Request(path="/b")))
    app = replace(APP, request=mix[0].request, mix=mix)
    with room(tmp_path, small_generator()) as (bench, running):
        made = shot(bench, running, CELL, app)
    assert (made.mix, made.request, made.body_bytes) == (mix, mix[0].request, None)
    assert [request.path for request in made.cycle()] == ["/a", "/b", "/a"]


def test_the_generator_is_told_the_rate_of_an_open_loop_and_none_in_a_closed_one(tmp_path: Path) -> None:
    with room(tmp_path, small_generator()) as (bench, running):
        assert shot(bench, running).rate_per_s == 0
        assert make_shot(bench, running, CELL, APP, RIGHT, rate_per_s=1234.5).rate_per_s == 1234.5


def test_each_cell_is_driven_by_the_generator_that_its_load_names(tmp_path: Path) -> None:
    """Two generators in one run: which drives what is said by the cell alone."""
    seen: list[str] = []

    def driven(name: str) -> Driver:
        def argv(_: Shot) -> list[str]:
            seen.append(name)
            return [sys.executable, "-S", "-c", ""]

        return Driver(plugin=replace(small_generator(), argv=argv), program=f"/bin/{name}")

    other = replace(CELL, load=replace(CELL.load, generator="other"))
    with room(tmp_path, small_generator()) as (bench, running):
        both = replace(bench, drivers={"small": driven("small"), "other": driven("other")})
        for cell in (other, CELL):
            asked = shot(both, running, cell)
            assert asked.program == f"/bin/{cell.load.generator}"
            measure(both, running, cell, asked)
    assert seen == ["other", "small"]


def test_the_generator_finds_its_files_and_its_result_is_handed_over(tmp_path: Path) -> None:
    source = (
        "import sys; print(open('task').read()); print('hm', file=sys.stderr); open(sys.argv[1], 'w').write('42'); sys.exit(5)"
    )
    results = Results()
    with room(tmp_path, small_generator(source, results, {"task": "do it"})) as (bench, running):
        measure_once(bench, running, bench.driver(CELL), shot(bench, running))
    assert results.seen[0][1] == Outcome(exit_code=5, stdout="do it\n", stderr="hm\n", result="42")


def test_the_result_of_an_earlier_window_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    source = "import os, sys\nif not os.path.exists('once'): open('once', 'w'); open(sys.argv[1], 'w').write('old')"
    results = Results()
    with room(tmp_path, small_generator(source, results)) as (bench, running):
        measure_once(bench, running, bench.driver(CELL), shot(bench, running))
        measure_once(bench, running, bench.driver(CELL), shot(bench, running))
    assert [outcome.result for _, outcome in results.seen] == ["old", None]


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between attempts, however busy the machine is that runs the tests."""
    monkeypatch.setattr(window, "QUIET_LIMIT", 99.0)


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_window_is_tried_again_twice_and_tells_of_what_was_discarded(tmp_path: Path, failures: int) -> None:
    with room(tmp_path, small_generator(parse=Results(failures))) as (bench, running):
        found = measure(bench, running, CELL, shot(bench, running))
    assert found.discarded == ("no good 1", "no good 2")[:failures]
    assert replace(found, discarded=()).stats == STATS


@pytest.mark.usefixtures("calm")
def test_the_third_failure_is_the_last(tmp_path: Path) -> None:
    results = Results(99)
    with room(tmp_path, small_generator(parse=results)) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(bench, running, CELL, shot(bench, running))
    assert (caught.value.cause, caught.value.reason) == (Cause.GENERATOR, "no good 3")
    assert len(results.seen) == 3


@pytest.mark.usefixtures("calm")
def test_noise_is_tried_again_too(tmp_path: Path) -> None:
    results = Results()
    with room(tmp_path, small_generator(parse=results)) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(replace(bench, noise=Noise(foreign_cpu=99, steal=-1.0)), running, CELL, shot(bench, running))
    assert caught.value.cause is Cause.NOISE
    assert len(results.seen) == 3


@pytest.mark.usefixtures("calm")
def test_what_others_did_to_a_generator_is_noise_and_what_it_said_of_it_is_kept(tmp_path: Path) -> None:
    """Was a bug: a generator that other programs held up failed the cell, and not only the window."""
    with room(tmp_path, small_generator(parse=Results(99))) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(replace(bench, noise=Noise(foreign_cpu=99, steal=-1.0)), running, CELL, shot(bench, running))
    assert caught.value.cause is Cause.NOISE
    assert caught.value.reason.endswith("of the CPU time during the window, and no good 3")


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(("noise", "cause"), [(True, Cause.NOISE), (False, Cause.GENERATOR)])
def test_what_a_generator_calls_noise_is_noise(tmp_path: Path, noise: bool, cause: Cause) -> None:  # noqa: FBT001 - a table
    results = Results(99, noise=noise)
    with room(tmp_path, small_generator(parse=results)) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(bench, running, CELL, shot(bench, running))
    assert (caught.value.cause, caught.value.reason) == (cause, "no good 3")


def test_a_machine_that_does_not_become_quiet_is_told_of_once(tmp_path: Path) -> None:
    told: list[str] = []
    with guarded() as guard:
        plain = make_bench(tmp_path, guard)
        loud = replace(plain, noise=Noise(foreign_cpu=-1.0), patience=Patience(quiet_s=0.1), tell=told.append)
        assert [wait_for_quiet(loud) for _ in range(2)] == [False, False]
        assert wait_for_quiet(replace(loud, noise=Noise(foreign_cpu=1)))
    (sentence,) = told
    assert re.match(r"this machine does not become quiet: other programs use \d+% of a core; the run goes on", sentence)


def test_a_generator_that_cannot_be_started_is_not_tried_again(tmp_path: Path) -> None:
    tries: list[Shot] = []

    def argv(shot: Shot) -> list[str]:
        tries.append(shot)
        return ["no-such-generator"]

    with room(tmp_path, replace(small_generator(), argv=argv)) as (bench, running), pytest.raises(StepFailure) as caught:
        measure(bench, running, CELL, shot(bench, running))
    assert len(tries) == 1
    assert re.search("the generator could not be started: .*no-such-generator", caught.value.reason)
    assert (caught.value.cause, caught.value.fatal) == (Cause.GENERATOR, True)


def ends_after(seconds: float) -> str:
    return f"import sys, time; print('up', flush=True); time.sleep({seconds}); print('MemoryError: full'); sys.exit(4)"


def test_a_server_that_ends_during_the_load_ends_the_window_at_once(tmp_path: Path) -> None:
    begin, dies = time.monotonic(), pytest.raises(StepFailure)
    with room(tmp_path, small_generator("import time; time.sleep(30)"), ends_after(0.3)) as (bench, running), dies as caught:
        measure(bench, running, CELL, shot(bench, running))
    assert time.monotonic() - begin < 10
    assert caught.value.reason == "the server ended with code 4 during the load: MemoryError: full"
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_a_server_whose_worker_was_replaced_during_the_load_gives_no_number(tmp_path: Path) -> None:
    replaces = "import subprocess, sys, time\nwork = [sys.executable, '-S', '-c', 'import time; time.sleep(0.5)']\n"
    replaces += "print('up', flush=True)\nwhile True: subprocess.run(work)"
    changes = pytest.raises(StepFailure, match="the server's processes changed during the load")
    with room(tmp_path, small_generator("import time; time.sleep(1)"), replaces) as (bench, running), changes as caught:
        measure(bench, running, CELL, shot(bench, running))
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_a_server_that_floods_its_log_is_stopped_during_the_load(tmp_path: Path) -> None:
    with room(tmp_path, small_generator()) as (_, running):
        watch(running)
        with running.running.log.open("r+b") as log:
            log.truncate(LOG_LIMIT_BYTES + 1)
        with pytest.raises(StepFailure, match="MiB of log"):
            watch(running)


def test_a_generator_that_never_ends_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "RUN_SPARE_S", -0.5)
    results = Results(99)
    with (
        room(tmp_path, small_generator(SLEEPER, results)) as (bench, running),
        pytest.raises(StepFailure, match="the generator was ended: it did not end within") as caught,
    ):
        measure_once(bench, running, bench.driver(CELL), shot(bench, running))
    assert (caught.value.cause, caught.value.fatal) == (Cause.GENERATOR, True)
    assert results.seen == []


@pytest.mark.parametrize(("warmup_s", "shots"), [(0, []), (3, [3])])
def test_a_warm_up_is_driven_for_its_own_time_and_read_by_nobody(tmp_path: Path, warmup_s: int, shots: list[int]) -> None:
    driven: list[int] = []

    def argv(shot: Shot) -> list[str]:
        driven.append(shot.duration_s)
        return [sys.executable, "-S", "-c", "raise SystemExit(9)"]

    generator = replace(small_generator(parse=Results(99)), argv=argv)
    with room(tmp_path, generator) as (bench, running):
        cell = make_cell(warmup_s=warmup_s)
        warm_up(bench, running, cell, shot(bench, running, cell))
    assert driven == shots


def test_a_warm_up_that_the_server_does_not_survive_fails(tmp_path: Path) -> None:
    dies = pytest.raises(StepFailure, match="the server ended with code 4")
    with room(tmp_path, small_generator("import time; time.sleep(30)"), ends_after(0.2)) as (bench, running), dies:
        warm_up(bench, running, make_cell(warmup_s=1), shot(bench, running))


def test_the_generator_is_started_with_the_environment_of_its_tool_and_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "9")
    source = "import os; print(os.environ.get('TOOL'), os.environ.get('MINE'), os.environ.get('WEB_CONCURRENCY'))"
    results = Results()
    tell: Callable[[Shot], dict[str, str]] = lambda _: {"MINE": "2"}  # noqa: E731 - typed for replace()
    with room(tmp_path, replace(small_generator(source, results), env=tell)) as (bench, running):
        driver = replace(bench.driver(CELL), env=(("TOOL", "1"),))
        measure_once(bench, running, driver, shot(bench, running))
    assert results.seen[0][1].stdout == "1 2 None\n"


def test_driving_alone_reads_no_result(tmp_path: Path) -> None:
    results = Results()
    with room(tmp_path, small_generator("print('words')", results)) as (bench, running):
        measure_once(bench, running, bench.driver(CELL), shot(bench, running))
        again = drive(bench, running, bench.driver(CELL), results.seen[0][0])
    assert (again.exit_code, again.stdout, again.result) == (0, "words\n", None)
    assert len(results.seen) == 1


def test_limits_of_one_accept_any_noise_and_a_quota_too() -> None:
    loud = replace(CALM, foreign_cpu=3.5, steal=1.0, throttled_us=9)
    check_noise(loud, Noise(foreign_cpu=1.0, steal=1.0))
    with pytest.raises(StepFailure, match="host took away"):
        check_noise(loud, Noise(foreign_cpu=1.0))
    with pytest.raises(StepFailure, match="CPU quota"):
        check_noise(replace(loud, steal=0.0), Noise(foreign_cpu=1.0))
