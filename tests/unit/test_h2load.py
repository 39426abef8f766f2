"""The h2load plug-in: its command line, real runs good and bad, and every check that a log and a summary must pass."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads import h2load
from servermatrix import plugins
from servermatrix.contracts import LoadFailure, LoadStats, Outcome, Request, Shot
from servermatrix.measure import tools
from tests.unit.counting_server import BODY, counting, fire

SAMPLES = Path(__file__).parent.parent / "samples"
SHOT = Shot(
    program="/usr/bin/h2load",
    url="http://127.0.0.1:8000/items?id=1",
    request=Request(path="/items?id=1"),
    connections=4,
    threads=1,
    duration_s=1,
    timeout_s=6,
    folder="/cell",
    result="/cell/result.tsv",
    expect_status=200,
    protocol="h2c",
)
BEGIN_US = 1_795_346_857_692_262
SECOND_US = 1_000_000
Row = tuple[int, int, int]


def closed_loop(slots: int, took_us: Sequence[int], seconds: int = 1) -> list[Row]:
    """Log what so many requests at a time look like that follow each other without a pause, each as long as the next of these."""
    rows: list[Row] = []
    for slot in range(slots):
        at_us, turn = BEGIN_US, slot
        while (end_us := at_us + took_us[turn % len(took_us)]) <= BEGIN_US + seconds * SECOND_US:
            rows.append((at_us, 200, end_us - at_us))
            at_us, turn = end_us, turn + 1
    return sorted(rows, key=lambda row: row[0] + row[2])


def written(rows: Sequence[Row]) -> str:
    return "".join(f"{start}\t{status}\t{took}\n" for start, status, took in rows)


def printed(done: int, in_flight: int = 4, protocol: str = "h2c", body_bytes: int = 0) -> str:
    spoken = f"Application protocol: {protocol}\n" if protocol else ""
    return (
        f"Main benchmark duration is started for thread #0.\n{spoken}\nfinished in 1.00s, {done}.00 req/s, 1.00KB/s\n"
        f"requests: {done} total, {done + in_flight} started, {done} done, {done} succeeded, 0 failed, 0 errored, 0 timeout\n"
        "status codes: 1 2xx, 0 3xx, 0 4xx, 0 5xx\n"
        f"traffic: 1.00KB (1024) total, 100B (100) headers (space savings 90.00%), 1.00KB ({body_bytes}) data\n"
    )


def ended(stdout: str, rows: Sequence[Row] | str | None, *, code: int = 0, stderr: str = "") -> Outcome:
    result = rows if rows is None or isinstance(rows, str) else written(rows)
    return Outcome(exit_code=code, stdout=stdout, stderr=stderr, result=result)


def run(rows: Sequence[Row], *, in_flight: int = 4) -> Outcome:
    """Make a whole outcome of these rows."""
    return ended(printed(len(rows), in_flight), rows)


def real(name: str, log: str = "") -> Outcome:
    """Read what a real run printed and logged."""
    file = SAMPLES / f"h2load-{log or name}.tsv"
    return ended((SAMPLES / f"h2load-{name}.txt").read_text(), file.read_text() if file.exists() else None)


def failure(outcome: Outcome, shot: Shot = SHOT) -> str:
    with pytest.raises(LoadFailure) as caught:
        h2load.parse(shot, outcome)
    return str(caught.value)


# --- the command line


def test_the_command_line_says_everything_that_is_asked() -> None:
    assert h2load.argv(replace(SHOT, threads=2, streams=10)) == [
        *("/usr/bin/h2load", "-t", "2", "-c", "4", "-m", "10", "-D", "1s", "-N", "6s", "--log-file=/cell/result.tsv"),
        *("-H", ":method: GET", "http://127.0.0.1:8000/items?id=1"),
    ]


CIPHERS = "--tls13-ciphers=TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"


@pytest.mark.parametrize(
    ("protocol", "forced"),
    [("h1", ["--h1"]), ("h1s", ["--h1", CIPHERS]), ("h2c", []), ("h2", ["--npn-list=h2", CIPHERS])],
)
def test_each_protocol_is_forced_so_that_no_other_can_take_its_place(protocol: str, forced: list[str]) -> None:
    plain = h2load.argv(SHOT)
    assert [word for word in h2load.argv(replace(SHOT, protocol=protocol)) if word not in plain] == forced


def test_the_time_out_outlasts_the_window_even_when_a_shorter_one_is_asked() -> None:
    argv = h2load.argv(replace(SHOT, duration_s=30, timeout_s=2))
    assert argv[argv.index("-N") + 1] == "31s"


def fields(request: Request) -> list[str]:
    argv = h2load.argv(replace(SHOT, request=request))
    return [argv[at + 1] for at, word in enumerate(argv) if word == "-H"]


def test_a_body_goes_through_a_file_and_its_length_is_said_by_h2load_alone() -> None:
    request = Request(method="PUT", headers=(("X-A", "1"), ("X-A", "2"), ("Content-Length", "6")), body="zwölf")
    shot = replace(SHOT, request=request)
    assert h2load.files(shot) == {"h2load_body": "zwölf"}
    assert h2load.argv(shot)[-3:] == ["-d", "/cell/h2load_body", SHOT.url]
    assert fields(request) == [":method: PUT", "X-A: 1", "X-A: 2"]


def test_an_empty_post_says_that_it_is_empty() -> None:
    assert fields(Request(method="POST")) == [":method: POST", "content-length: 0"]
    assert fields(Request(method="POST", headers=(("Content-Length", "0"),))) == [":method: POST", "Content-Length: 0"]
    assert h2load.files(SHOT) == {}


def test_a_host_header_becomes_the_authority() -> None:
    assert fields(Request(headers=(("HOST", "example.org"),))) == [":method: GET", ":authority: example.org"]


# --- real runs


@pytest.mark.parametrize(
    ("name", "shot", "requests", "bytes_read"),
    [
        ("ok-h2c", replace(SHOT, streams=2, threads=2), 148, 6380),
        ("ok-h2", replace(SHOT, streams=2, protocol="h2"), 149, 6420),
        ("ok-h1s", replace(SHOT, protocol="h1s"), 76, 10032),
    ],
)
def test_a_real_run_is_read_to_the_last_request(name: str, shot: Shot, requests: int, bytes_read: int) -> None:
    stats = h2load.parse(shot, real(name))
    assert (stats.requests, stats.bytes_read, stats.statuses) == (requests, bytes_read, ((200, requests),))
    rows = [line.split("\t") for line in (real(name).result or "").splitlines()]
    assert dict(stats.histogram) == Counter(int(took) for _, _, took in rows)
    assert stats.duration_us == SECOND_US


def test_a_real_run_of_many_requests_is_read() -> None:
    rows = closed_loop(32, [1000, 1100, 1150], 2)[:58_798]
    outcome = ended((SAMPLES / "h2load-granian-h2c.txt").read_text(), rows)
    assert h2load.parse(replace(SHOT, streams=8, duration_s=2), outcome).requests == 58_798


def test_real_answers_without_a_reason_phrase_are_taken_by_their_size() -> None:
    stats = h2load.parse(replace(SHOT, protocol="h1", body_bytes=13), real("no-reason"))
    assert (stats.requests, stats.statuses) == (72, ())


FAILED = [(BEGIN_US + 100 * index, 500, 90) for index in range(4004)] + [(BEGIN_US, -1, 90)] * 15
LOST = "(the server ended the stream or the connection, as a limit of requests per connection does)"
IN_FLIGHT = "requests were in flight near the end: connections are lost or hang"
WAIT = "the server stopped answering, or let connections wait"


@pytest.mark.parametrize(
    ("outcome", "changes", "sentence"),
    [
        (real("h2c-D", "h2c"), {}, f"of 313 requests, 17 got no answer {LOST}"),
        (
            real("mixed"),
            {},
            f"of 4017 requests, 13 got no answer {LOST}, 669 got status 404, 667 got status 500, 666 got status 503",
        ),
        (
            ended((SAMPLES / "h2load-500.txt").read_text(), FAILED),
            {},
            f"of 4019 requests, 15 got no answer {LOST}, 4004 got status 500",
        ),
        (
            ended((SAMPLES / "h2load-tls.txt").read_text(), [*closed_loop(32, [7900])[:4004], *FAILED[-15:], *FAILED[-5:]]),
            {"protocol": "h2"},
            f"of 4024 requests, 20 got no answer {LOST}",
        ),
        (real("dies-midrun", "dies"), {"duration_s": 3}, f"the answers cover only 1.01 s of 3 s: {WAIT}"),
        (
            real("h2c-D-keepalive-fixed", "h2c-fixed"),
            {"duration_s": 2},
            "h2load's log has 8120 requests and its summary 8115: it is of another run",
        ),
        (
            real("few-streams"),
            {"connections": 1, "streams": 128},
            f"100 instead of 128 {IN_FLIGHT}, or the server allows fewer than 128 streams",
        ),
        (
            real("one-lost"),
            {"streams": 1, "protocol": "h1", "duration_s": 2},
            f"3 instead of 4 {IN_FLIGHT}",
        ),
        (real("h2c-to-h1-server"), {}, "no request was answered in 1 s: the server hangs or does not speak h2c"),
        (
            replace(real("h1-to-h2c-server"), stderr="[ERROR] HTTP parse error: (HPE_INVALID_CONSTANT) Expected HTTP/\n" * 2),
            {"protocol": "h1"},
            "no request was answered in 1 s: [ERROR] HTTP parse error: (HPE_INVALID_CONSTANT) Expected HTTP/",
        ),
        (real("no-alpn"), {"protocol": "h2"}, "the server did not agree to h2 in the TLS handshake (ALPN)"),
        (real("not-listening"), {}, f"h2load made no connection: nothing listens at {SHOT.url}"),
        (
            real("not-listening"),
            {"protocol": "h2", "url": "https://127.0.0.1:8000/"},
            "h2load made no connection: nothing listens at https://127.0.0.1:8000/, or the TLS handshake failed",
        ),
        (real("n"), {}, "h2load wrote no log of its requests"),
        (real("granian-h2c"), {}, "h2load wrote no log of its requests"),
    ],
)
def test_a_real_failure_that_h2load_ends_with_0_is_told(outcome: Outcome, changes: dict[str, object], sentence: str) -> None:
    shot = replace(SHOT, **({"streams": 8} | changes))  # type: ignore[arg-type]
    assert failure(outcome, shot) == sentence


def test_every_real_run_has_its_verdict_in_this_file() -> None:
    source = Path(__file__).read_text()
    for file in SAMPLES.glob("h2load-*"):
        name = file.stem.removeprefix("h2load-")
        assert f'"{name}"' in source or f'"{file.name}"' in source, file


# --- answers whose status cannot be read


def unread(done: int, body_bytes: int, protocol: str = "http/1.1") -> Outcome:
    rows = [(start, 0, took) for start, _, took in closed_loop(4, [4 * SECOND_US // done])]
    assert len(rows) == done
    return ended(printed(done, protocol=protocol, body_bytes=body_bytes), rows)


@pytest.mark.parametrize(("body_bytes", "fits"), [(1299, False), (1300, True), (1352, True), (1353, False)])
def test_the_bodies_must_be_those_of_the_answers_and_at_most_of_those_in_flight(body_bytes: int, *, fits: bool) -> None:
    shot, outcome = replace(SHOT, protocol="h1", body_bytes=13), unread(100, body_bytes)
    if fits:
        assert h2load.parse(shot, outcome).statuses == ()
    else:
        assert failure(outcome, shot) == (
            "h2load could not read the status of the answers (an empty reason phrase), and their bodies have "
            f"{body_bytes} bytes instead of 1300 to 1352"
        )


@pytest.mark.parametrize("known", [None, 0])
def test_without_a_known_size_an_answer_without_a_status_is_no_answer(known: int | None) -> None:
    told = "and there is no known size of the right answer to tell them by"
    assert failure(unread(100, 0), replace(SHOT, protocol="h1s", body_bytes=known)).endswith(told)


def test_one_answer_without_a_status_among_others_is_an_error() -> None:
    rows = closed_loop(4, [40_000])
    rows[3] = (rows[3][0], 0, rows[3][2])
    outcome = ended(printed(100, protocol="http/1.1", body_bytes=1300), rows)
    assert failure(outcome, replace(SHOT, protocol="h1", body_bytes=13)) == (
        "of 100 requests, 1 got a status that h2load could not read (an empty reason phrase)"
    )


def test_in_http_2_there_is_no_reason_phrase_to_be_empty() -> None:
    assert failure(unread(100, 1300, "h2c"), replace(SHOT, body_bytes=13)).startswith("of 100 requests, 100 got a status")


# --- which statuses are right


@pytest.mark.parametrize(
    ("expected", "status", "valid"),
    [(None, 200, True), (None, 302, True), (None, 399, True), (None, 400, False), (404, 404, True), (404, 200, False)],
)
def test_a_status_is_right_when_it_is_expected_or_below_400(expected: int | None, status: int, *, valid: bool) -> None:
    rows = [(start, status, took) for start, _, took in closed_loop(4, [40_000])]
    shot = replace(SHOT, expect_status=expected)
    if valid:
        assert h2load.parse(shot, run(rows)).statuses == ((status, 100),)
    else:
        assert failure(run(rows), shot) == f"of 100 requests, 100 got status {status}"


# --- the time that the answers cover


def shifted(rows: Sequence[Row], after_us: int, by_us: int) -> list[Row]:
    """Let everything that begins after a time begin later, within the second."""
    moved = [(start + by_us * (start - BEGIN_US >= after_us), status, took) for start, status, took in rows]
    return [row for row in moved if row[0] + row[2] <= BEGIN_US + SECOND_US]


def test_a_pause_that_no_request_lasted_is_no_service() -> None:
    paused = shifted(closed_loop(4, [10_000]), 400_000, 310_000)
    assert failure(run(paused)) == "no answer came for 0.32 s, though no request lasted as long"
    assert h2load.parse(SHOT, run(shifted(closed_loop(4, [10_000]), 400_000, 280_000))).requests == 288


@pytest.mark.parametrize(("took_us", "answered"), [(450_000, 8), (600_000, 4)])
def test_a_pause_that_the_requests_lasted_is_their_latency(took_us: int, answered: int) -> None:
    assert h2load.parse(SHOT, run(closed_loop(4, [took_us]))).histogram == ((took_us, answered),)


@pytest.mark.parametrize(("served_us", "valid"), [(710_000, True), (690_000, False)])
def test_the_last_answer_is_near_the_end_of_the_window(served_us: int, *, valid: bool) -> None:
    rows = [row for row in closed_loop(4, [10_000]) if row[0] + row[2] <= BEGIN_US + served_us]
    if valid:
        # The seconds that were asked: a server that is silent at the end is not excused from it.
        assert h2load.parse(SHOT, run(rows)).duration_us == SECOND_US
    else:
        assert failure(run(rows)) == f"the answers cover only 0.69 s of 1 s: {WAIT}"


def test_a_run_that_lasts_longer_is_divided_by_what_it_lasted() -> None:
    rows = closed_loop(4, [10_000])
    late = [*rows, (BEGIN_US + SECOND_US, 200, 120_000)]
    assert h2load.parse(SHOT, run(late)).duration_us == 1_120_000
    later = [*rows, (BEGIN_US + SECOND_US, 200, 160_000)]
    assert failure(run(later)) == "h2load ran for 1.16 s instead of 1 s"


# --- the requests in flight


@pytest.mark.parametrize("in_flight", [0, 3, 5, -17])
def test_the_requests_in_flight_at_the_end_are_all_of_them(in_flight: int) -> None:
    assert failure(run(closed_loop(4, [10_000]), in_flight=in_flight)) == f"{in_flight} instead of 4 {IN_FLIGHT}"


def test_a_connection_that_is_lost_is_seen_though_h2load_says_nothing_of_it() -> None:
    rows = closed_loop(3, [10_000]) + [row for row in closed_loop(1, [10_000]) if row[0] < BEGIN_US + 600_000]
    assert failure(run(rows)).startswith("3 instead of 4 requests were in flight near the end")


@given(st.integers(2, 12), st.integers(0, 10_000), st.integers(0, 600_000))
def test_a_loss_is_seen_whatever_the_latencies_and_whenever_it_happens(slots: int, seed: int, lost_us: int) -> None:
    shuffled = Random(seed)  # noqa: S311 - reproducible, not secret
    took_us = [90_000, *(shuffled.randint(200, 90_000) for _ in range(99))]
    rows = closed_loop(slots, took_us)
    shot = replace(SHOT, connections=slots)
    assert h2load.parse(shot, run(rows, in_flight=slots)).requests == len(rows)
    kept = closed_loop(slots - 1, took_us)
    gone = sorted((Counter(rows) - Counter(kept)).elements())
    left = kept + [row for row in gone if row[0] + row[2] <= BEGIN_US + lost_us]
    assert "were in flight near the end" in failure(run(left, in_flight=slots), shot)


# --- any log


@given(st.integers(1, 12), st.integers(1, 8), st.lists(st.integers(3_000, 30_000), min_size=1, max_size=20), st.integers(0, 99))
def test_every_request_is_counted_once(connections: int, streams: int, took_us: list[int], disorder: int) -> None:
    rows = closed_loop(connections * streams, took_us)
    slightly_out_of_order = sorted(rows, key=lambda row: row[0] + row[2] + row[0] * disorder % 97)
    shot = replace(SHOT, connections=connections, streams=streams)
    stats = h2load.parse(shot, run(slightly_out_of_order, in_flight=connections * streams))
    assert dict(stats.histogram) == Counter(took for _, _, took in rows)
    assert stats.histogram == tuple(sorted(stats.histogram))
    assert stats.requests == len(rows) == sum(count for _, count in stats.histogram)


def read(outcome: Outcome) -> LoadStats | str:
    try:
        return h2load.parse(SHOT, outcome)
    except LoadFailure as refused:
        return str(refused)


DAMAGED = "h2load's log is damaged: not every line is a request"
WHOLE = closed_loop(4, [9_000, 10_000, 11_000])
TEXT = written(WHOLE)


@given(st.integers(0, len(TEXT) - 1), st.text(max_size=3), st.integers(0, 40))
def test_a_damaged_log_is_refused_or_still_adds_up(at: int, put: str, cut: int) -> None:
    found = read(ended(printed(len(WHOLE)), TEXT[:at] + put + TEXT[at + cut :]))
    if isinstance(found, str):
        assert len(found.split()) > 2
    else:
        assert sum(count for _, count in found.histogram) == found.requests == len(WHOLE)


@given(st.text(max_size=60), st.text(max_size=60))
def test_garbage_is_refused_with_a_sentence(stdout: str, log: str) -> None:
    for outcome in (ended(stdout, TEXT), ended(printed(len(WHOLE)), log), ended(stdout, log)):
        assert len(failure(outcome).split()) > 2


@pytest.mark.parametrize(
    "row", ["", "1\t200", "1\t200\t5.0", "1\t-2\t5", "-1\t200\t5", "1 200 5", f"1\t200\t{10**16}", "\u0661\t200\t5", "1\t200\t5 "]
)
def test_one_damaged_row_makes_the_log_damaged(row: str) -> None:
    outcome = ended(printed(len(WHOLE) + 1), f"{TEXT}{row}\n")
    assert failure(outcome) == DAMAGED


def test_a_log_that_breaks_off_is_damaged() -> None:
    assert failure(ended(printed(len(WHOLE)), TEXT[:-1])) == DAMAGED


def test_columns_that_a_later_version_adds_are_passed_over() -> None:
    outcome = ended(printed(len(WHOLE)), TEXT.replace("\n", "\tmore\n"))
    assert h2load.parse(SHOT, outcome).requests == len(WHOLE)


def test_a_log_of_several_blocks_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h2load, "BLOCK", 100)
    assert h2load.parse(SHOT, ended(printed(len(WHOLE)), TEXT)).requests == len(WHOLE)
    paused = shifted(closed_loop(4, [10_000]), 400_000, 310_000)
    assert failure(run(paused)) == "no answer came for 0.32 s, though no request lasted as long"
    assert failure(ended(printed(len(WHOLE)), TEXT + "x\n")) == DAMAGED


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (
            ended("", None, code=1, stderr="-H: invalid header - value missing: X\n"),
            "h2load ended with code 1: -H: invalid header",
        ),
        (
            ended("", None, code=1, stderr="-t: warning: the number of threads is greater than hardware cores.\n\n"),
            "h2load ended with code 1",
        ),
        (
            ended("", None, code=1, stderr="--npn-list: deprecated.  Use --alpn-list instead.\nno URI given\n"),
            "h2load ended with code 1: no URI given",
        ),
        (ended(printed(len(WHOLE)), TEXT, code=-9), "h2load was ended by signal 9"),
        (ended("", TEXT), "h2load printed no summary of its requests and their traffic"),
        (ended(printed(len(WHOLE)).partition("traffic")[0], TEXT), "h2load printed no summary of its requests and their traffic"),
        (ended(printed(len(WHOLE)), None), "h2load wrote no log of its requests"),
        (ended(printed(len(WHOLE)), ""), "h2load wrote no log of its requests"),
        (ended(printed(len(WHOLE), protocol="http/1.1"), TEXT), "h2load spoke http/1.1 instead of h2c"),
        (ended(printed(len(WHOLE), protocol=""), TEXT), "h2load spoke no protocol instead of h2c"),
    ],
)
def test_what_is_not_a_whole_result_is_told_in_one_sentence(outcome: Outcome, sentence: str) -> None:
    assert failure(outcome).startswith(sentence)


# --- the program itself, on this machine


@pytest.fixture(scope="module")
def program() -> tools.Tool:
    """h2load as the tool finds it; a machine without it fails the tests, it does not skip them."""
    found = tools.find("h2load", h2load.LOAD.packages, plugins.builtin_root() / ".tools")
    assert isinstance(found, tools.Tool), f"the tests need h2load: {found}"
    return found


def shot_at(tool: tools.Tool, folder: Path, port: int) -> Shot:
    return replace(
        SHOT,
        program=tool.path,
        url=f"http://127.0.0.1:{port}/items?id=1",
        folder=str(folder),
        result=str(folder / "result"),
        protocol="h1",
        body_bytes=len(BODY),
    )


@pytest.mark.servers
def test_the_program_sends_the_request_as_it_was_asked_for(program: tools.Tool, tmp_path: Path) -> None:
    request = Request(
        method="PUT", path="/items?id=1", headers=(("Host", "example.org"), ("X-A", "1"), ("X-A", "2")), body="zwölf"
    )
    with counting() as count:
        shot = replace(shot_at(program, tmp_path, count.port), request=request)
        stats = h2load.parse(shot, fire(h2load.LOAD, shot))
    assert stats.requests > 100
    (head,) = count.heads
    lines = head.decode().split("\r\n")
    assert lines[0] == "PUT /items?id=1 HTTP/1.1"
    assert {"Host: example.org", "x-a: 1", "x-a: 2", "Content-Length: 6"} <= set(lines)
    assert head.endswith(b"\r\n\r\nzw\xc3\xb6lf")


@pytest.mark.servers
def test_the_program_cannot_read_a_status_without_a_reason_and_the_size_tells_it(program: tools.Tool, tmp_path: Path) -> None:
    with counting(reason=b"") as count:
        shot = shot_at(program, tmp_path, count.port)
        outcome = fire(h2load.LOAD, shot)
    assert h2load.parse(shot, outcome).statuses == ()
    assert "could not read the status" in failure(outcome, replace(shot, body_bytes=len(BODY) + 1))


@pytest.mark.servers
def test_the_program_against_a_server_of_another_protocol_or_none_gives_a_sentence(program: tools.Tool, tmp_path: Path) -> None:
    with counting() as count:
        shot = replace(shot_at(program, tmp_path, count.port), protocol="h2c")
        assert failure(fire(h2load.LOAD, shot), shot).startswith("no request was answered in 1 s")
    assert failure(fire(h2load.LOAD, shot), shot) == f"h2load made no connection: nothing listens at {shot.url}"


@pytest.mark.servers
def test_the_program_says_which_version_it_is(program: tools.Tool) -> None:
    told = subprocess.run([program.path, *h2load.LOAD.version_args], capture_output=True, text=True, check=True, timeout=10)
    assert h2load.version(told.stdout)


# --- versions


@pytest.mark.parametrize("version", ["1.43.0", "1.52.0", "1.70.0-DEV", "2.0.0"])
def test_a_version_is_read_as_it_is_printed(version: str) -> None:
    assert h2load.version(f"h2load nghttp2/{version}\n") == version


@pytest.mark.parametrize("version", ["1.42.9", "0.99.0"])
def test_a_version_that_is_too_old_is_named(version: str) -> None:
    with pytest.raises(LoadFailure, match=f"^h2load {version} is too old: 1.43.0 or newer is needed$"):
        h2load.version(f"h2load nghttp2/{version}\n")


def test_another_program_of_that_name_is_not_taken_for_h2load() -> None:
    with pytest.raises(LoadFailure, match="did not print a version"):
        h2load.version("Usage: something else")
