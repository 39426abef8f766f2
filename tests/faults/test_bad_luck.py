"""What may go wrong with the machine while a run goes on: each gives a flag or a refusal that says so, never a silent number."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

import servermatrix.measure
from servermatrix import plugins
from servermatrix.analysis.analyse import analyse
from servermatrix.measure import quota, run
from servermatrix.measure.bench import Bench, Driver, Venue, wanted
from servermatrix.measure.calibrate import TRIVIAL, calibrate, responder
from servermatrix.measure.host import read_topology
from servermatrix.measure.tools import Tool
from servermatrix.model import Bottleneck, Cause, Cell, Failed, Flag, Measured, Noise, Sample, Step, Summary
from tests.faults.odd_machine import CONNECTIONS, stub
from tests.faults.real_servers import ANY_NOISE, LOAD, OK, cell
from tests.unit import analyse_runs

pytestmark = pytest.mark.servers

ODD_MACHINE = Path(__file__).with_name("odd_machine.py")
ROOT = Path(__file__).resolve().parents[2]
PATHS = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
BUSY = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"
MOUNT = Path("/sys/fs/cgroup")
STANDARD = Noise()


@contextlib.contextmanager
def foreign_load() -> Iterator[None]:
    """Have another program work as hard as it can, for 20 seconds at most."""
    with subprocess.Popen([sys.executable, "-S", "-c", BUSY], start_new_session=True) as busy:
        try:
            yield
        finally:
            busy.kill()


def with_stub(bench: Bench, noise: Noise, quiet_s: float = 0.3) -> Bench:
    return replace(bench, servers={"stub": stub()}, noise=noise, witness=OK, patience=replace(bench.patience, quiet_s=quiet_s))


def steps(bench: Bench, before: Callable[[int], None] = lambda _: None, rounds: int = 2) -> list[Sample]:
    """Measure a cell of the stub round after round."""
    samples: list[Sample] = []
    for number in range(1, rounds + 1):
        before(number)
        samples.append(run.measure_step(bench, Step(cell=cell(), round=number)))
    return samples


def test_foreign_load_that_starts_in_the_middle_of_a_run_costs_rounds_and_changes_no_number(bench: Bench) -> None:
    with contextlib.ExitStack() as stack:
        start = lambda number: stack.enter_context(foreign_load()) if number > 1 else None  # noqa: E731
        _, second = steps(with_stub(bench, STANDARD), start)
    assert isinstance(second, Failed)  # the first is measured, unless others are at work here as well
    assert second.cause is Cause.NOISE
    assert "of a core during the window" in second.reason


def test_a_machine_that_is_never_quiet_is_waited_for_each_time_within_bounds_and_the_run_goes_on(bench: Bench) -> None:
    begin = time.monotonic()
    with foreign_load():
        samples = steps(with_stub(bench, STANDARD))
    assert time.monotonic() - begin < 20
    assert [(type(sample), sample.round) for sample in samples] == [(Failed, 1), (Failed, 2)]
    for sample in samples:
        assert isinstance(sample, Failed)
        assert sample.reason.endswith("of a core during the window, and this machine did not become quiet before it")


def row_of(wish: Cell, samples: Sequence[Sample], **more: object) -> Summary:
    """Report on one cell."""
    told = analyse_runs.run([wish], samples, rounds=len(samples))
    header = replace(told.header, host=replace(told.header.host, cores=read_topology().cpus))
    report = analyse(replace(told, header=header, **more))  # type: ignore[arg-type]
    (row,) = (row for table in report.tables for row in table.rows)
    return row


def test_a_number_taken_under_foreign_load_because_somebody_wanted_it_is_flagged_and_not_ranked(bench: Bench) -> None:
    with foreign_load():
        samples = steps(with_stub(bench, Noise(foreign_cpu=1.0, steal=1.0)))
    row = row_of(cell(), samples)
    assert {Flag.NOISY, Flag.HOST_BOUND} <= set(row.flags)
    assert row.ranking is None
    assert "other programs used" in {remark.flag: remark.sentence for remark in row.remarks}[Flag.HOST_BOUND]


@dataclass(frozen=True, slots=True)
class Odd:
    """What became of a step on an odd machine."""

    kind: str
    cause: str
    reason: str


def on_odd_machine(folder: Path, driver: Driver, name: str, how: Sequence[str], start: Sequence[str] = ()) -> Odd:
    """Measure one step in a process of its own, for which the machine is made odd."""
    told = json.dumps({"name": name, "program": driver.program, "env": driver.env})
    odd = folder / "odd"
    odd.mkdir()
    env = ("env", f"PYTHONPATH={PATHS}", f"TMPDIR={os.environ['TMPDIR']}")
    argv = [*start, *env, sys.executable, str(ODD_MACHINE), str(odd), told, *how]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return Odd(**json.loads(done.stdout))


@cache
def network_of_its_own() -> tuple[str, ...]:
    """Return what starts a program in a network of its own, as root or as anybody; empty where that is not allowed."""
    probe = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.faults.odd_machine import few_ports; few_ports(9)"
    for start in (("unshare", "--net"), ("unshare", "--user", "--map-root-user", "--net"), ("sudo", "-n", "unshare", "--net")):
        with contextlib.suppress(OSError):
            done = subprocess.run([*start, sys.executable, "-c", probe], capture_output=True, timeout=20, check=False)
            if done.returncode == 0:
                return start
    return ()


def generator_of(folder: Path, program: Tool, line: str) -> Driver:
    """Make a generator in the place of wrk of one line of shell."""
    script = folder / "generator"
    script.write_text(f"#!/bin/sh\n{line}\n")
    script.chmod(0o755)
    return Driver(plugin=plugins.load_generators()["wrk"], program=str(script), env=(*program.env, ("PYTHONPATH", PATHS)))


def without_ports(folder: Path, program: Tool) -> Driver:
    """Make a generator that finds every port taken when it starts."""
    words = [sys.executable, str(ODD_MACHINE), "hold-ports", program.path]
    return generator_of(folder, program, f'exec {shlex.join(words)} "$@"')


def like_without_ports(folder: Path, program: Tool) -> Driver:
    """Make a generator that says what wrk says when it finds no port: for users who may have no network of their own."""
    return generator_of(folder, program, "echo 'unable to connect to 127.0.0.1:1 Cannot assign requested address' >&2; exit 1")


@pytest.mark.usefixtures("bench")
def test_a_generator_that_finds_no_port_to_connect_from_says_so_and_what_to_do(tmp_path: Path, wrk: Tool) -> None:
    if start := network_of_its_own():
        seen = on_odd_machine(tmp_path, without_ports(tmp_path, wrk), "wrk", ("ports", "500"), start)
    else:
        seen = on_odd_machine(tmp_path, like_without_ports(tmp_path, wrk), "wrk", ("as it is",))
    assert (seen.kind, seen.cause) == ("Failed", "generator")
    assert "no ports left to connect from" in seen.reason
    assert "wait a minute, or use fewer connections" in seen.reason


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("name", ["wrk", "builtin"])
def test_ports_that_run_out_during_the_load_are_named_with_what_to_do(tmp_path: Path, wrk: Tool, name: str) -> None:
    few = CONNECTIONS // 2
    if start := network_of_its_own():
        driver = Driver(plugin=plugins.load_generators()[name], program=wrk.path if name == "wrk" else "", env=wrk.env)
        seen = on_odd_machine(tmp_path, driver, name, ("ports", str(few)), start)
        assert f"({few} of {few} are taken)" in seen.reason
    else:
        seen = on_odd_machine(tmp_path, like_without_ports(tmp_path, wrk), "wrk", ("as it is",))
    assert (seen.kind, seen.cause) == ("Failed", "generator")
    assert "this machine has no ports left to connect from" in seen.reason
    assert "wait a minute" in seen.reason


@contextlib.contextmanager
def limited_group(cores: float) -> Iterator[Path | None]:
    """Make a control group with a CPU quota; None where this user may not."""
    for top in (MOUNT / "cpu", MOUNT / "cpu,cpuacct", MOUNT):
        folder = top / f"servermatrix-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            try:
                if limited(folder, cores):
                    yield folder
                    return
            finally:
                removed(folder)
    yield None


def limited(folder: Path, cores: float) -> bool:
    """Set the quota of a control group, in the form of its version; False where it has none."""
    if (folder / "cpu.cfs_quota_us").exists():
        (folder / "cpu.cfs_period_us").write_text("100000")
        (folder / "cpu.cfs_quota_us").write_text(str(round(cores * 100_000)))
        return True
    if (folder / "cpu.max").exists():
        (folder / "cpu.max").write_text(f"{round(cores * 100_000)} 100000")
        return True
    return False


def removed(folder: Path) -> None:
    """Remove a control group once the last process in it is gone."""
    for _ in range(50):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.1)


def held_back_by_hand(bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch, wrk: Tool) -> Odd:
    """Measure a step during which the kernel writes, as far as the tool can see, that it held the tool back."""
    (folder / "cpu.stat").write_text("throttled_usec 1000\n")
    (folder / "membership").write_text("0::/\n")
    monkeypatch.setattr(quota, "PROC_CGROUP", folder / "membership")
    monkeypatch.setattr(quota, "MOUNT", folder)
    driver = generator_of(folder, wrk, f'echo throttled_usec $(date +%s) > {folder}/cpu.stat; exec {wrk.path} "$@"')
    limits = with_stub(replace(bench, drivers={"wrk": driver}), Noise(foreign_cpu=1.0, steal=0.99))
    (sample,) = steps(limits, rounds=1)
    assert isinstance(sample, Failed)
    return Odd(kind="Failed", cause=str(sample.cause), reason=sample.reason)


def test_a_cpu_quota_that_holds_server_and_generator_back_is_named(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrk: Tool
) -> None:
    with limited_group(0.3) as group:
        if group is not None:
            seen = on_odd_machine(tmp_path, bench.drivers["wrk"], "wrk", ("group", str(group)))
        else:  # only the machine's owner may limit anybody
            seen = held_back_by_hand(bench, tmp_path, monkeypatch, wrk)
    assert (seen.kind, seen.cause) == ("Failed", "noise")
    assert seen.reason.startswith("a CPU quota held this container back for ")


def test_a_quota_that_the_tool_is_told_of_is_named(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrk: Tool
) -> None:
    seen = held_back_by_hand(bench, tmp_path, monkeypatch, wrk)
    assert (seen.cause, seen.reason.split(" for ")[0]) == ("noise", "a CPU quota held this container back")


# Drives real wrk, and tells what that would have told, had somebody set the clock meanwhile: it takes durations from there.
STEPPED = """
import json, os, subprocess, sys
code = subprocess.run([{wrk!r}, *sys.argv[1:]]).returncode
file = os.environ["SERVERMATRIX_WRK_RESULT"]
told = json.load(open(file))
told["duration_us"] += {step_us}
json.dump(told, open(file, "w"))
sys.exit(code)
"""


@pytest.mark.parametrize(("step_us", "ran_s"), [(3_600_000_000, "3601"), (-900_000, "0")])
def test_a_clock_that_was_set_during_the_load_gives_no_number(
    bench: Bench, tmp_path: Path, wrk: Tool, step_us: int, ran_s: str
) -> None:
    script = tmp_path / "generator"
    script.write_text(f"#!{sys.executable}\n" + STEPPED.format(wrk=wrk.path, step_us=step_us))
    script.chmod(0o755)
    driver = Driver(plugin=plugins.load_generators()["wrk"], program=str(script), env=wrk.env)
    (sample,) = steps(with_stub(replace(bench, drivers={"wrk": driver}), ANY_NOISE), rounds=1)
    assert isinstance(sample, Failed)
    assert sample.reason.startswith(f"wrk ran for {ran_s}.")
    assert sample.reason.endswith("s instead of 1 s by the clock of this machine: was it set, or the machine held up?")


def test_nothing_that_is_measured_goes_by_a_clock_that_can_be_set() -> None:
    """Durations and deadlines are taken from clocks that nobody sets; the time of day is only ever compared with those."""
    found = []
    for file in sorted(Path(servermatrix.measure.__path__[0]).glob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef):
                calls = {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
                found += [f"{file.name}:{function.name}" for _ in calls & {"time.time", "time.time_ns", "datetime.now"}]
    assert found == ["run.py:_now", "usage.py:read_clock_us"]


def at_the_ceiling(bench: Bench, name: str) -> tuple[Cell, Bench]:
    """Take the responder for a server, which is then faster than what drives it."""
    wish = replace(cell("responder"), app=TRIVIAL.name, load=replace(LOAD, generator=name, connections=64))
    return wish, replace(
        bench,
        servers={wish.server: responder(1)},
        venues={wanted(wish): Venue(path=sys.executable)},
        apps={wish.app: TRIVIAL},
        noise=ANY_NOISE,
    )


@pytest.mark.parametrize("name", ["wrk", "builtin"])
def test_a_generator_at_its_ceiling_is_told_from_a_server_at_its_own(bench: Bench, name: str) -> None:
    program = bench.drivers["wrk"]
    plugin = plugins.load_generators()[name]
    driver = replace(program, plugin=plugin, program=program.program if name == "wrk" else "")
    wish, ready = at_the_ceiling(replace(bench, drivers={name: driver}), name)
    (ceiling,) = calibrate(ready, [wish])
    samples = (measured(ready, wish, after_s) for after_s in (0, 1))
    sample = next(filter(undisturbed, samples), None) or measured(ready, wish, 0)
    row = row_of(wish, [sample], ceilings=(ceiling,))
    assert row.verdict is not None
    # Where others work all the time nobody can say what the generator could do, and it is this that is said.
    limit = Bottleneck.GENERATOR if undisturbed(sample) else Bottleneck.HOST
    assert row.verdict.bottleneck is limit, row.verdict
    assert (Flag.GENERATOR_BOUND if undisturbed(sample) else Flag.HOST_BOUND) in row.flags
    assert row.ranking is None


def undisturbed(sample: Measured) -> bool:
    """Tell whether nobody else was at work."""
    used = sample.windows[0].usage
    return used.foreign_cpu <= STANDARD.foreign_cpu and used.steal <= STANDARD.steal


def measured(bench: Bench, wish: Cell, after_s: float) -> Measured:
    time.sleep(after_s)
    sample = run.measure_step(bench, Step(cell=wish, round=1))
    assert isinstance(sample, Measured), sample
    return sample
