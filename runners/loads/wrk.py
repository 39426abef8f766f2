"""wrk: the default generator for HTTP/1.1; its result is the JSON of wrk_report.lua, never its printed text."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from servermatrix.contracts import LoadErrors, LoadFailure, LoadGenerator, LoadStats, Outcome, Shot

OLDEST = (4, 0, 0)
NO_PORT_TIP = "wait a minute, or use fewer connections"
NO_PORT = "Cannot assign requested address"  # how the C library names EADDRNOTAVAIL
SPARE_S = 5
SUCCESS = range(400)  # wrk counts every status above as an error
REPORT, RECONNECT, MIX = (Path(__file__).with_name(f"wrk_{name}.lua").read_text() for name in ("report", "reconnect", "mix"))


def version(text: str) -> str:
    """Read the version from `wrk -v`; LoadFailure when there is none or it is older than 4.0.0."""
    found = re.match(r"wrk (\S+)", text)
    if not found:
        raise LoadFailure("wrk -v did not print a version")
    number = re.match(r"(?:debian/)?(\d+)\.(\d+)\.(\d+)", found[1])
    if number and tuple(map(int, number.groups())) < OLDEST:
        raise LoadFailure(f"wrk {found[1]} is too old: 4.0.0 or newer is needed")
    return found[1]


def argv(shot: Shot) -> list[str]:
    """Build the command line; the time-out outlasts the window, since wrk leaves later answers out of its histogram."""
    timeout_s = max(shot.timeout_s, shot.duration_s + SPARE_S)
    return [
        *(shot.program, "-t", str(shot.threads), "-c", str(shot.connections), "-d", f"{shot.duration_s}s"),
        *("--timeout", f"{timeout_s}s", "-s", str(Path(shot.folder) / "report.lua"), shot.url),
    ]


def env(shot: Shot) -> dict[str, str]:
    """Tell the script where its result goes."""
    return {"SERVERMATRIX_WRK_RESULT": shot.result}


def files(shot: Shot) -> dict[str, str]:
    """Write the script, with the request in it as bytes: wrk's -H ignores `K:V` in silence and keeps one value per name."""
    every = shot.requests_per_connection
    request = f"local REQUEST = {lua_string(shot.wire(last=every == 1))}\n"
    more = _mixed(shot) if shot.mix else _reconnecting(shot) if every > 1 else ""
    return {"report.lua": request + more + REPORT}


def _reconnecting(shot: Shot) -> str:
    """Let a connection live for as many requests on average; only this costs wrk a call into Lua for every request.

    There are 28,000 ports to connect from, and one is free again a second after its connection, since Linux reuses them early
    on the loopback (net.ipv4.tcp_tw_reuse = 2). Where it may not, wrk runs out of them and counts connect errors.
    """
    return f"local EVERY, LAST = {shot.requests_per_connection}, {lua_string(shot.wire(last=True))}\n{RECONNECT}"


def _mixed(shot: Shot) -> str:
    """Write the requests of a mix once each, and the order in which they are sent.

    wrk then calls into Lua for every request: against a granian that answered 32,000/s over 32 connections, its CPU time
    went from 14.7 us per request to 14.8 with one request in the mix, 15.2 with four and 15.0 with ten, medians of 5 seconds
    each that differed by 3 us among themselves.
    """
    cycle, every = shot.cycle(), shot.requests_per_connection
    distinct = {request: number for number, request in enumerate(dict.fromkeys(cycle), 1)}
    texts = (lua_string(replace(shot, request=request).wire(last=every == 1)) for request in distinct)
    lasts = (lua_string(replace(shot, request=request).wire(last=True)) for request in distinct if every > 1)
    order = ", ".join(str(distinct[request]) for request in cycle)
    tables = (("TEXTS", ", ".join(texts)), ("LASTS", ", ".join(lasts)), ("ORDER", order))
    return "".join(f"local {name} = {{{items}}}\n" for name, items in tables) + f"local EVERY = {every}\n{MIX}"


def lua_string(data: bytes) -> str:
    """Write bytes as a Lua string literal in plain ASCII; three digits, so that a digit may follow."""
    plain = frozenset(range(32, 127)) - {ord('"'), ord("\\")}
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03d}" for byte in data) + '"'


def parse(shot: Shot, outcome: Outcome) -> LoadStats:
    """Read the result of one window; LoadFailure for anything that is not a whole one without errors."""
    if outcome.exit_code != 0:
        raise LoadFailure(_ended(outcome))
    found = _read(outcome)
    requests, errors = _count(found, "requests"), _errors(found, shot)
    if errors.total:
        raise LoadFailure(_error_sentence(errors))
    if requests == 0:
        raise LoadFailure(f"no request was answered in {shot.duration_s} s")
    duration_us = _count(found, "duration_us")
    _check_duration(shot.duration_s, duration_us)
    return LoadStats(
        requests=requests,
        duration_us=duration_us,
        histogram=_measured(found, requests, back_fill_interval(duration_us, requests, shot.connections)),
        bytes_read=_count(found, "bytes"),
    )


def back_fill_interval(duration_us: int, requests: int, connections: int) -> int | None:
    """Return the microseconds that wrk's main() hands to stats_correct, None where it leaves the histogram alone."""
    per_connection = requests // connections
    return duration_us // per_connection if per_connection else None


def uncorrected(corrected: Mapping[int, int], interval: int) -> dict[int, int]:
    """Take wrk's always-on back-fill out of a latency histogram again (the inverse of stats_correct in wrk's src/stats.c).

    wrk adds each count at n >= 2 * interval to n - interval, n - 2 * interval ... as long as these are above the interval, so
    above it a corrected count is the measured one plus the corrected one an interval later.
    """
    measured = {us: n - (corrected.get(us + interval, 0) if us > interval else 0) for us, n in corrected.items()}
    return {us: n for us, n in sorted(measured.items()) if n}


def _measured(found: Mapping[str, object], requests: int, interval: int | None) -> tuple[tuple[int, int], ...]:
    """Return the histogram as measured; LoadFailure unless it holds each request once."""
    corrected = _histogram(found)
    measured = uncorrected(corrected, interval) if interval else corrected
    if sum(measured.values()) != requests or min(measured.values()) < 0:
        raise LoadFailure(
            f"wrk's latency histogram does not add up: {sum(measured.values())} samples for {requests} requests "
            "once its correction is taken out"
        )
    return tuple(sorted(measured.items()))


def _ended(outcome: Outcome) -> str:
    if outcome.exit_code < 0:
        return f"wrk was ended by signal {-outcome.exit_code}"
    words = _first_line(outcome.stderr) or _first_line(outcome.stdout)
    if NO_PORT in words:
        words += ", for this machine has no ports left to connect from: " + NO_PORT_TIP
    return f"wrk ended with code {outcome.exit_code}" + (f": {words}" if words else "")


def _first_line(text: str) -> str:
    return next(filter(None, map(str.strip, text.splitlines())), "")


def _read(outcome: Outcome) -> Mapping[str, object]:
    if outcome.result is None:
        words = _first_line(outcome.stderr)
        silent = "" if outcome.stdout.strip() else " and printed nothing"
        raise LoadFailure(f"wrk wrote no result file{f': {words}' if words else silent}")
    if not outcome.result.strip():
        raise LoadFailure("wrk wrote an empty result file")
    try:
        found = json.loads(outcome.result)
    except (ValueError, RecursionError):
        raise LoadFailure("wrk's result file is not whole: it is no JSON document") from None
    if not isinstance(found, dict) or found.get("schema") != 1:
        raise LoadFailure("wrk's result file is not of schema 1")
    return found


def _count(found: Mapping[str, object], name: str) -> int:
    value = found.get(name)
    if type(value) is not int or value < 0:
        raise LoadFailure(f"wrk's result file has no count {name}")
    return value


def _errors(found: Mapping[str, object], shot: Shot) -> LoadErrors:
    """Read the error counts; wrk counts every status above 399, also where such a one is the right answer."""
    errors = found.get("errors")
    if not isinstance(errors, dict):
        raise LoadFailure("wrk's result file has no error counts")
    status, right = _count(errors, "status"), {each.expect.status for each in shot.mix} or {shot.expect_status or 200}
    unsuccessful = {each for each in right if each not in SUCCESS}
    if unsuccessful == right:
        status = _count(found, "requests") - status
    elif unsuccessful:
        words = f"wrk counts every status above 399 as an error and cannot tell where {min(unsuccessful)} is right"
        raise LoadFailure(f"{words}: leave that request out of the mix")
    names = ("connect", "read", "write", "timeout")
    return LoadErrors(status=status, **{name: _count(errors, name) for name in names})


def _error_sentence(errors: LoadErrors) -> str:
    counts = {name: getattr(errors, name) for name in ("connect", "read", "write", "timeout", "status")}
    said = [f"{count} {name}" for name, count in counts.items() if count]
    listed = " and ".join([", ".join(said[:-1]), said[-1]] if said[1:] else said)
    cause = "the server closed or refused connections" if errors.connect + errors.read + errors.write else ""
    if errors.connect:
        cause = f"the server refused connections, or this machine had no ports left to connect from (then {NO_PORT_TIP})"
    cause = cause or ("answers came too late" if errors.timeout else "answers had an unexpected status")
    return f"wrk counted {listed} error{'s' if errors.total > 1 else ''}: {cause}"


def _check_duration(asked_s: int, duration_us: int) -> None:
    """Refuse a window that is off by more than 10 %; wrk looks at its clock each 100 ms, so 150 ms are always allowed."""
    if abs(duration_us - asked_s * 1_000_000) > max(150_000, asked_s * 100_000):
        ran = f"wrk ran for {duration_us / 1e6:.2f} s instead of {asked_s} s"
        raise LoadFailure(f"{ran} by the clock of this machine: was it set, or the machine held up?")


def _histogram(found: Mapping[str, object]) -> dict[int, int]:
    latency = found.get("latency_us")
    pairs = latency.get("histogram") if isinstance(latency, dict) else None
    if not isinstance(pairs, list) or not pairs:
        raise LoadFailure("wrk's result file has no latency histogram")
    try:
        read = {int(us): int(count) for us, count in pairs}
    except (TypeError, ValueError, OverflowError):
        read = {}
    if not read or min(read) < 0 or min(read.values()) < 0:
        raise LoadFailure("wrk's result file has a damaged latency histogram")
    return read


LOAD = LoadGenerator(
    protocols=("h1", "h1s"),
    program="wrk",
    packages=("wrk",),
    version_args=("-v",),
    version=version,
    argv=argv,
    env=env,
    files=files,
    parse=parse,
    reconnects=True,
    mixes=True,
)
