"""One window of load: drive it, read the machine around it, and say whether it counts."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from servermatrix.contracts import LoadFailure, Outcome, Shot
from servermatrix.measure import usage
from servermatrix.measure.bench import Bench, Driver, Started, check_log
from servermatrix.measure.client import Answer
from servermatrix.measure.failure import StepFailure, last_words
from servermatrix.measure.lingering import opened, read_lingering
from servermatrix.measure.probe import no_port_left
from servermatrix.measure.process import Command, run_to_end, scrubbed_environment
from servermatrix.model import ENCRYPTED, App, Cause, Cell, LoadStats, Noise, Usage, Window

ATTEMPTS = 3
TIMEOUT_SPARE_S = 5
RUN_SPARE_S = 15.0
QUIET_LIMIT = 0.08


def warm_up(bench: Bench, started: Started, cell: Cell, shot: Shot) -> None:
    """Drive load that is not measured; only a server that does not survive it fails the step."""
    if cell.load.warmup_s:
        drive(bench, started, bench.driver(cell), replace(shot, duration_s=cell.load.warmup_s))


def measure(bench: Bench, started: Started, cell: Cell, shot: Shot) -> Window:
    """Return one valid window, trying again at most twice; StepFailure with the last reason when none was valid."""
    discarded: list[str] = []
    quiet = True
    while True:
        try:
            found = measure_once(bench, started, bench.driver(cell), shot, cell.workers)
            return replace(found, discarded=tuple(discarded))
        except StepFailure as failure:
            discarded.append(failure.reason)
            if failure.cause is Cause.NOISE and not quiet and len(discarded) == ATTEMPTS:
                raise StepFailure(Cause.NOISE, f"{failure.reason}, and this machine did not become quiet before it") from failure
            if failure.fatal or len(discarded) == ATTEMPTS:
                raise
        quiet = wait_for_quiet(bench)


def wait_for_quiet(bench: Bench) -> bool:
    """Wait, bounded, until the host is quiet, and tell whether it is; where any noise is allowed there is nothing to wait for."""
    if bench.noise.foreign_cpu >= 1:
        return True
    return bench.quiet.wait(min(QUIET_LIMIT, bench.noise.foreign_cpu), bench.patience.quiet_s, bench.tell)


@dataclass(slots=True, kw_only=True)
class Midway:
    """Looks once, in the middle of a window, at the ports in use and how many sockets each process has more than before it."""

    before: Mapping[int, int]
    due_s: float
    connections: dict[int, int] = field(default_factory=dict)
    ports: tuple[int, int] | None = None
    looked: bool = False

    def look(self) -> None:
        """Look when the time has come, and never again; where the sockets are not shown there is nothing to see."""
        if not self.looked and time.monotonic() >= self.due_s:
            self.looked, self.ports = True, usage.ports_in_use()
            now = usage.read_connections(self.before)
            self.connections = {pid: max(0, count - self.before[pid]) for pid, count in now.items()}


def measure_once(bench: Bench, started: Started, driver: Driver, shot: Shot, workers: int = 1) -> Window:
    """Drive one window and read the machine around it; StepFailure when it does not count.

    The connections of each process are looked at where there are several `workers` to compare.
    """
    pids = started.running.members()
    pss_before, log_before = usage.read_pss(pids), log_bytes(started)
    sockets = usage.read_connections(pids) if workers > 1 else {}
    ended_before = read_lingering(started.address.port)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = usage.read(pids)
    midway = Midway(before=sockets, due_s=time.monotonic() + shot.duration_s / 2)
    outcome = drive(bench, started, driver, shot, midway)
    after = usage.read(pids)
    generator_us = _cpu_us(resource.getrusage(resource.RUSAGE_CHILDREN)) - _cpu_us(children)
    if started.running.members() != pids:
        sentence = f"the server's processes changed during the load{last_words(started.running.log)}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)
    check_clock(before, after)
    used = used_between(before, after, generator_us, usage.read_pss(pids), midway.connections)
    used = replace(
        used,
        connects=opened(
            used.connects, ended_before, read_lingering(started.address.port), asked=shot.connections, wall_us=used.wall_us
        ),
        pss_before_bytes=pss_before,
        log_bytes=max(0, log_bytes(started) - log_before),
    )
    try:
        stats = parse(driver, shot, outcome, midway.ports)
    except StepFailure as failure:
        check_noise(used, bench.noise, f", and {failure.reason}")
        raise
    check_noise(used, bench.noise)
    return Window(stats=stats, usage=used)


def log_bytes(started: Started) -> int:
    """Measure the server's log; OSError when it is gone."""
    return started.running.log.stat().st_size


def drive(bench: Bench, started: Started, driver: Driver, shot: Shot, midway: Midway | None = None) -> Outcome:
    """Run the generator to its end while the server lives; StepFailure as soon as the server is gone."""
    folder = Path(shot.folder)
    for name, content in driver.plugin.files(shot).items():
        (folder / name).write_text(content)
    result, errors = Path(shot.result), folder / "generator.err"
    result.unlink(missing_ok=True)
    command = Command(
        argv=driver.plugin.argv(shot),
        env=scrubbed_environment({**dict(driver.env), **driver.plugin.env(shot)}),
        folder=folder,
        log=folder / "generator.out",
        open_files=4 * shot.connections + 512,
        cpus=bench.layout.generator,
    )

    def look() -> None:
        watch(started)
        if midway is not None:
            midway.look()

    try:
        code, out = run_to_end(command, errors, shot.duration_s + RUN_SPARE_S, look)
    except TimeoutError as failure:
        raise StepFailure(Cause.GENERATOR, f"the generator was ended: {failure}", fatal=True) from failure
    except (OSError, subprocess.SubprocessError) as failure:
        raise StepFailure(Cause.GENERATOR, f"the generator could not be started: {failure}", fatal=True) from failure
    watch(started)
    text = result.read_text(errors="replace") if result.exists() else None
    return Outcome(exit_code=code, stdout=out, stderr=errors.read_text(errors="replace"), result=text)


def watch(started: Started) -> None:
    """Fail when the server has ended or floods its log."""
    code = started.running.exit_code()
    if code is not None:
        sentence = f"the server ended with code {code} during the load{last_words(started.running.log)}"
        raise StepFailure(Cause.SERVER, sentence, fatal=True)
    check_log(started)


def parse(driver: Driver, shot: Shot, outcome: Outcome, ports: tuple[int, int] | None = None) -> LoadStats:
    """Read the generator's result; StepFailure when it is not a whole one. `ports` are those in use during the load."""
    try:
        return driver.plugin.parse(shot, outcome)
    except LoadFailure as failure:
        server = urlsplit(shot.url)
        refused = no_port_left(server.hostname or "", server.port or 0)
        used = max(filter(None, (ports, usage.ports_in_use())), default=None)
        exhausted = usage.ports_exhausted(used, refused=refused)
        cause = Cause.NOISE if failure.noise else Cause.GENERATOR
        raise StepFailure(cause, f"{failure}; {exhausted}" if exhausted else str(failure)) from failure


def used_between(
    before: usage.Reading,
    after: usage.Reading,
    generator_us: int,
    pss_bytes: int | None,
    connections: Mapping[int, int] | None = None,
) -> Usage:
    """Take the difference of two readings; `connections` are by process."""
    by_process = {pid: cpu.since(before.processes[pid]) for pid, cpu in after.processes.items() if pid in before.processes}
    busiest = sorted(by_process, key=lambda pid: (-by_process[pid], pid))
    own_us = after.own_us - before.own_us
    server_us = sum(by_process.values())
    return Usage(
        wall_us=after.host.at_us - before.host.at_us,
        server_cpu_us=server_us,
        worker_cpu_us=tuple(by_process[pid] for pid in busiest),
        generator_cpu_us=generator_us,
        own_cpu_us=own_us,
        pss_bytes=pss_bytes,
        foreign_cpu=round(usage.foreign_share(before.host, after.host, server_us + generator_us + own_us), 4),
        steal=round(usage.steal_share(before.host, after.host), 4),
        throttled_us=after.throttled_us - before.throttled_us,
        involuntary_switches=after.involuntary_switches - before.involuntary_switches,
        worker_connections=tuple(connections.get(pid, 0) for pid in busiest) if connections else (),
        connects=_more(before.active_opens, after.active_opens),
    )


def _more(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)


def check_clock(before: usage.Reading, after: usage.Reading) -> None:
    """Refuse a window during which the clock was set: generators take durations and latencies from it."""
    if step_us := after.clock_step_us(before):
        sentence = f"the clock of this machine was set {'back' if step_us < 0 else 'forward'} by {abs(step_us) / 1e6:.2f} s"
        raise StepFailure(Cause.NOISE, f"{sentence} during the window")


def check_noise(used: Usage, limits: Noise, then: str = "") -> None:
    """Refuse a window that others disturbed, whatever came of it `then`; the causes are independent of the server."""
    if used.foreign_cpu > limits.foreign_cpu and limits.foreign_cpu < 1:
        raise StepFailure(Cause.NOISE, f"other programs used {used.foreign_cpu:.0%} of a core during the window{then}")
    if used.steal > limits.steal and limits.steal < 1:
        raise StepFailure(Cause.NOISE, f"the host took away {used.steal:.1%} of the CPU time during the window{then}")
    if used.throttled_us and limits.limited:
        raise StepFailure(Cause.NOISE, f"a CPU quota held this container back for {used.throttled_us / 1000:.0f} ms{then}")


def make_shot(bench: Bench, started: Started, cell: Cell, app: App, right: Answer, *, rate_per_s: float = 0.0) -> Shot:
    """Say what one window asks, how hard and for how long; `right` is an answer that was looked at.

    With a `rate_per_s` it is an open loop. Of a mix the lengths of the answers differ.
    """
    load = cell.load
    scheme = "https" if cell.protocol in ENCRYPTED else "http"
    return Shot(
        program=bench.driver(cell).program,
        url=f"{scheme}://{started.address.host}:{started.address.port}{app.request.path}",
        protocol=cell.protocol,
        streams=load.streams,
        requests_per_connection=load.requests_per_connection,
        body_bytes=None if app.mix else len(right.body),
        request=app.request,
        connections=load.connections,
        threads=load.threads,
        duration_s=load.duration_s,
        timeout_s=load.duration_s + TIMEOUT_SPARE_S,
        folder=str(started.folder),
        result=str(started.folder / "generator.result"),
        expect_status=app.expect.status,
        rate_per_s=rate_per_s,
        mix=app.mix,
    )


def _cpu_us(used: resource.struct_rusage) -> int:
    return round((used.ru_utime + used.ru_stime) * 1e6)
