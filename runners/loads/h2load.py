"""h2load: the generator for HTTP/2, and for HTTP/1.1 to set beside it; its result is the log of its requests.

Its exit code is 0 whatever happened and its printed summary counts lost connections as fine, so the log is held against both.
"""

import re
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from operator import add, sub
from pathlib import Path

from servermatrix.contracts import LoadFailure, LoadGenerator, LoadStats, Outcome, Request, Shot

OLDEST = (1, 43, 0)  # of Debian 11 and Ubuntu 22.04; the first ones that write a log of requests are only a little older
BODY_FILE = "h2load_body"
PROTOCOLS = {"h1": "http/1.1", "h1s": "http/1.1", "h2c": "h2c", "h2": "h2"}
# In OpenSSL's own order, which wrk offers too: h2load prefers AES-128, and servers differ in whose order they go by.
CIPHERS = "--tls13-ciphers=TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
FORCED = {"h1": ("--h1",), "h1s": ("--h1", CIPHERS), "h2c": (), "h2": ("--npn-list=h2", CIPHERS)}
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
RIGHT, UNREAD = range(100, 400), 0
WORDS = {
    -1: "no answer (the server ended the stream or the connection, as a limit of requests per connection does)",
    UNREAD: "a status that h2load could not read (an empty reason phrase)",
}
GAP_US, SLICE_US = 300_000, 100_000
BLOCK = 262_144  # characters of the log read at a time
ROW = re.compile(r"^(\d{1,17})\t(-1|\d{1,3})\t(\d{1,15})(?:\t.*)?$", re.ASCII | re.MULTILINE)
SUMMARY = re.compile(r"^requests: (\d{1,15}) total, (\d{1,15}) started, (\d{1,15}) done,", re.ASCII | re.MULTILINE)
TRAFFIC = re.compile(r"^traffic: .*\((\d{1,18})\) total, .*\((\d{1,18})\) data$", re.ASCII | re.MULTILINE)
PROTOCOL = re.compile(r"^Application protocol: (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What h2load printed at its end; `protocol` is empty when no connection was made."""

    total: int
    in_flight: int
    done: int
    bytes_read: int
    body_bytes: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The requests of one run in the order of their ends; times in microseconds, `gap_us` the longest one without an end."""

    starts: "array[int]"
    took: "array[int]"
    statuses: Counter[int]
    gap_us: int
    last_us: int


def version(text: str) -> str:
    """Read the version from `h2load --version`; LoadFailure when there is none or it is older than 1.43.0."""
    found = re.match(r"h2load nghttp2/((\d+)\.(\d+)\.(\d+)\S*)", text, re.ASCII)
    if not found:
        raise LoadFailure("h2load --version did not print a version")
    if tuple(map(int, found.groups()[1:])) < OLDEST:
        raise LoadFailure(f"h2load {found[1]} is too old: 1.43.0 or newer is needed")
    return found[1]


def argv(shot: Shot) -> list[str]:
    """Build the command line.

    -N outlasts the window and ends a handshake that never comes to an end, which would hold h2load for ever; -T does nothing
    in runs by time. --npn-list is the old name of --alpn-list, which versions before 1.59 do not know.
    """
    return [
        *(shot.program, "-t", str(shot.threads), "-c", str(shot.connections), "-m", str(shot.streams)),
        *("-D", f"{shot.duration_s}s", "-N", f"{max(shot.timeout_s, shot.duration_s + 1)}s"),
        *(f"--log-file={shot.result}", *FORCED[shot.protocol]),
        *chain.from_iterable(("-H", f"{name}: {value}") for name, value in _headers(shot.request)),
        *(("-d", str(Path(shot.folder) / BODY_FILE)) if shot.request.body else ()),
        shot.url,
    ]


def files(shot: Shot) -> dict[str, str]:
    """Write the body of the request, which h2load takes from a file."""
    return {BODY_FILE: shot.request.body} if shot.request.body else {}


def _headers(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the fields to give; h2load itself says how long a body is, but says nothing of an empty one."""
    yield ":method", request.method
    given = {name.lower() for name, _ in request.headers}
    for name, value in request.headers:
        if name.lower() != "content-length" or not request.body:
            yield ":authority" if name.lower() == "host" else name, value
    if request.method in WITH_BODY and not request.body and not given & {"content-length", "transfer-encoding"}:
        yield "content-length", "0"


def parse(shot: Shot, outcome: Outcome) -> LoadStats:
    """Read the result of one window; LoadFailure for anything that is not a whole one without errors."""
    if outcome.exit_code != 0:
        raise LoadFailure(_ended(outcome))
    summary = _read_summary(outcome)
    if summary.done == 0:
        raise LoadFailure(_nothing_answered(shot, outcome, summary))
    log = _read_log(outcome.result or "")
    if len(log.took) != summary.total:
        raise LoadFailure(f"h2load's log has {len(log.took)} requests and its summary {summary.total}: it is of another run")
    if summary.protocol != PROTOCOLS[shot.protocol]:
        raise LoadFailure(f"h2load spoke {summary.protocol or 'no protocol'} instead of {PROTOCOLS[shot.protocol]}")
    statuses = _statuses(shot, summary, log)
    span_us = _covered(shot, log)
    _check_in_flight(shot, summary, log)
    return LoadStats(
        requests=len(log.took),
        # Never less than was asked: the time from the first start to the last end would leave out the handshakes, which wrk
        # counts as well, and a server that answers nothing any more just before the end.
        duration_us=max(span_us, shot.duration_s * 1_000_000),
        histogram=tuple(sorted(Counter(log.took).items())),
        statuses=statuses,
        bytes_read=summary.bytes_read,
    )


def _ended(outcome: Outcome) -> str:
    code = outcome.exit_code
    how = f"ended with code {code}" if code > 0 else f"was ended by signal {-code}"
    return ": ".join(filter(None, (f"h2load {how}", _complaint(outcome))))


def _complaint(outcome: Outcome) -> str:
    """Return the first line of standard error that is about this run, not about an option or the number of threads."""
    lines = map(str.strip, outcome.stderr.splitlines())
    return next((line for line in lines if line and "deprecated" not in line and "warning:" not in line.lower()), "")


def _read_summary(outcome: Outcome) -> Summary:
    requests, traffic, protocol = (pattern.search(outcome.stdout) for pattern in (SUMMARY, TRAFFIC, PROTOCOL))
    if not requests or not traffic:
        raise LoadFailure("h2load printed no summary of its requests and their traffic")
    total, started, done, read, bodies = map(int, requests.groups() + traffic.groups())
    spoken = protocol[1] if protocol else ""
    return Summary(total=total, in_flight=started - done, done=done, bytes_read=read, body_bytes=bodies, protocol=spoken)


def _nothing_answered(shot: Shot, outcome: Outcome, summary: Summary) -> str:
    """Say why there is no answer, as far as h2load knows: a refused connection and a failed handshake look the same."""
    if summary.protocol:
        words = _complaint(outcome) or f"the server hangs or does not speak {PROTOCOLS[shot.protocol]}"
        return f"no request was answered in {shot.duration_s} s: {words}"
    if "No supported protocol was negotiated" in outcome.stdout:
        return f"the server did not agree to {PROTOCOLS[shot.protocol]} in the TLS handshake (ALPN)"
    tls = ", or the TLS handshake failed" if shot.url.startswith("https:") else ""
    return f"h2load made no connection: nothing listens at {shot.url}{tls}"


def _read_log(text: str) -> Log:
    """Read the log in blocks, so that a long one does not become millions of strings; LoadFailure when a row is damaged."""
    starts, took, statuses = array("q"), array("q"), Counter[str]()
    gap_us = last_us = at = 0
    while at < len(text):
        end = text.find("\n", at + BLOCK) + 1 or len(text)
        rows = ROW.findall(text, at, end)
        if len(rows) != text.count("\n", at, end) or not rows:
            raise LoadFailure("h2load's log is damaged: not every line is a request")
        begun, status, lasted = zip(*rows, strict=True)
        starts.extend(map(int, begun))
        took.extend(map(int, lasted))
        statuses.update(status)
        ends: list[int] = sorted(map(add, starts[-len(rows) :], took[-len(rows) :]))  # threads write slightly out of order
        gap_us = max(gap_us, ends[0] - (last_us or min(starts)), *map(sub, ends[1:], ends))
        last_us, at = max(last_us, ends[-1]), end
    if not starts:
        raise LoadFailure("h2load wrote no log of its requests")
    counts = Counter({int(status): count for status, count in statuses.items()})
    return Log(starts=starts, took=took, statuses=counts, gap_us=gap_us, last_us=last_us)


def _statuses(shot: Shot, summary: Summary, log: Log) -> tuple[tuple[int, int], ...]:
    """Return the counts by status; none where h2load could not read them but the size of the answers is right."""
    if shot.protocol in {"h1", "h1s"} and set(log.statuses) == {UNREAD}:
        _check_size(shot, summary)
        return ()
    right = RIGHT if shot.expect_status is None else (shot.expect_status,)
    counts = tuple(sorted(log.statuses.items()))
    wrong = [f"{count} got {WORDS.get(status, f'status {status}')}" for status, count in counts if status not in right]
    if wrong:
        raise LoadFailure(f"of {summary.total} requests, {', '.join(wrong)}")
    return counts


def _check_size(shot: Shot, summary: Summary) -> None:
    """Refuse answers without a status unless their bodies are as many and as large as right ones would be."""
    unread = "h2load could not read the status of the answers (an empty reason phrase)"
    if not shot.body_bytes:
        raise LoadFailure(f"{unread}, and there is no known size of the right answer to tell them by")
    least, most = summary.done * shot.body_bytes, (summary.done + max(0, summary.in_flight)) * shot.body_bytes
    if not least <= summary.body_bytes <= most:
        raise LoadFailure(f"{unread}, and their bodies have {summary.body_bytes} bytes instead of {least} to {most}")


def _covered(shot: Shot, log: Log) -> int:
    """Return the time from the first start to the last end; LoadFailure unless answers came all through the window."""
    asked_us, span_us = shot.duration_s * 1_000_000, log.last_us - min(log.starts)
    if log.gap_us > max(GAP_US, 1.1 * max(log.took)):
        raise LoadFailure(f"no answer came for {log.gap_us / 1e6:.2f} s, though no request lasted as long")
    if asked_us - span_us > max(GAP_US, 1.1 * log.gap_us):
        words = "the server stopped answering, or let connections wait"
        raise LoadFailure(f"the answers cover only {span_us / 1e6:.2f} s of {shot.duration_s} s: {words}")
    if span_us - asked_us > max(150_000, shot.duration_s * 100_000):
        raise LoadFailure(f"h2load ran for {span_us / 1e6:.2f} s instead of {shot.duration_s} s")
    return span_us


def _check_in_flight(shot: Shot, summary: Summary, log: Log) -> None:
    """Refuse a run that lost connections or streams on its way.

    h2load counts a request as started that waits for the server to allow one more stream, and never counts off those of a
    connection that is gone; so it is also looked up in the log how many were in flight shortly before the end.
    """
    wanted = shot.connections * shot.streams
    found = min(wanted, _peak(log)) if summary.in_flight == wanted else summary.in_flight
    if found != wanted:
        fewer = f", or the server allows fewer than {shot.streams} streams" if shot.streams > 1 else ""
        words = f"were in flight near the end: connections are lost or hang{fewer}"
        raise LoadFailure(f"{found} instead of {wanted} requests {words}")


def _peak(log: Log) -> int:
    """Count the most requests at once among those that ended last; what is in flight at the very end is in no log."""
    cut_us = log.last_us - max(log.took) - SLICE_US
    late = [(start, start + took) for start, took in zip(log.starts, log.took, strict=True) if start + took > cut_us]
    starts, ends = (sorted(times) for times in zip(*late, strict=True))
    return max(begun - bisect_right(ends, start) for begun, start in enumerate(starts, 1))


LOAD = LoadGenerator(
    protocols=tuple(PROTOCOLS),
    program="h2load",
    packages=("nghttp2-client",),
    version_args=("--version",),
    version=version,
    argv=argv,
    files=files,
    parse=parse,
)
