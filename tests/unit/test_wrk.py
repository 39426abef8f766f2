"""The wrk plug-in: its command line, its script, and every way in which a result can be wrong."""

from __future__ import annotations

import json
import re
import ssl
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.loads import wrk
from servermatrix.contracts import LoadFailure, Outcome, Request, Shot
from servermatrix.measure import tools
from servermatrix.measure.certificate import make_certificate
from tests.unit.counting_server import Count, counting, fire

SAMPLES = Path(__file__).parent.parent / "samples"
SHOT = Shot(
    program="/usr/bin/wrk",
    url="http://127.0.0.1:8000/items?id=1",
    request=Request(path="/items?id=1"),
    connections=16,
    threads=1,
    duration_s=2,
    timeout_s=7,
    folder="/cell",
    result="/cell/result.json",
)
LATENCIES = st.dictionaries(st.integers(1, 5000), st.integers(1, 50), min_size=1, max_size=40)


def ended(result: str | None, *, code: int = 0, stdout: str = "Running 2s test", stderr: str = "") -> Outcome:
    return Outcome(exit_code=code, stdout=stdout, stderr=stderr, result=result)


def written(**changes: object) -> str:
    """Write a result as the script does: four requests in two seconds, unless changed."""
    errors = {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0}
    latency = {"source": "ffi", "max": 400, "histogram": [[300, 1], [400, 3]]}
    whole = {"schema": 1, "duration_us": 2_000_700, "requests": 4, "bytes": 512, "errors": errors, "latency_us": latency}
    return json.dumps(whole | changes)


def failure(outcome: Outcome, shot: Shot = SHOT) -> str:
    with pytest.raises(LoadFailure) as caught:
        wrk.parse(shot, outcome)
    return str(caught.value)


def stats_correct(measured: dict[int, int], interval: int) -> dict[int, int]:
    """Do what wrk's stats_correct does, value by value."""
    corrected = Counter(measured)
    for us in range(2 * interval, max(measured) + 1):
        back = us - interval
        while corrected[us] and back > interval:
            corrected[back] += corrected[us]
            back -= interval
    return {us: count for us, count in corrected.items() if count}


# --- the command line and the script


def test_the_command_line_says_everything_that_is_asked() -> None:
    assert wrk.argv(SHOT) == [
        *("/usr/bin/wrk", "-t", "1", "-c", "16", "-d", "2s", "--timeout", "7s"),
        *("-s", "/cell/report.lua", "http://127.0.0.1:8000/items?id=1"),
    ]


def test_the_time_out_outlasts_the_window_even_when_a_shorter_one_is_asked() -> None:
    argv = wrk.argv(replace(SHOT, duration_s=30, timeout_s=2))
    assert argv[argv.index("--timeout") + 1] == "35s"


def test_the_script_learns_from_the_environment_where_its_result_goes() -> None:
    name, path = next(iter(wrk.env(SHOT).items()))
    assert path == SHOT.result
    assert f'os.getenv("{name}")' in wrk.files(SHOT)["report.lua"]


def test_the_script_is_the_request_and_the_report_and_has_no_response_hook() -> None:
    script = wrk.files(SHOT)["report.lua"]
    assert script.startswith('local REQUEST = "GET /items?id=1 HTTP/1.1\\013\\010Host: 127.0.0.1:8000\\013\\010\\013\\010"\n')
    assert re.search(r"^function done\(", script, re.MULTILINE)
    assert not re.search(r"^function (response|request)\(", script, re.MULTILINE)


def script(every: int) -> str:
    return wrk.files(replace(SHOT, requests_per_connection=every))["report.lua"]


def test_without_reconnecting_nothing_is_asked_of_lua_for_a_request() -> None:
    assert "LAST" not in script(0)
    assert "Connection: close" not in script(0)


def test_with_a_connection_per_request_the_one_request_asks_for_its_end() -> None:
    assert script(1).splitlines()[0].endswith('Connection: close\\013\\010\\013\\010"')
    assert script(1).splitlines()[1:] == script(0).splitlines()[1:]


def test_with_more_requests_per_connection_the_script_has_both_requests_and_chooses() -> None:
    lines = script(10).splitlines()
    assert lines[0] == script(0).splitlines()[0]
    assert lines[1].startswith('local EVERY, LAST = 10, "GET ')
    assert "Connection: close" in lines[1]
    assert "function request()" in lines
    assert script(10).endswith(wrk.REPORT)


@given(st.binary())
def test_any_bytes_survive_as_a_lua_string(data: bytes) -> None:
    literal = wrk.lua_string(data)
    assert literal.isascii()
    assert literal.isprintable()
    assert bytes(int(code) if code else ord(char) for code, char in re.findall(r"\\(\d{3})|([^\\])", literal[1:-1])) == data


def test_a_quote_in_a_header_cannot_end_the_lua_string() -> None:
    request = Request(headers=(("X-Name", '"..os.exit()..'),), body="end\n")
    first_line = wrk.files(replace(SHOT, request=request))["report.lua"].splitlines()[0]
    assert first_line.count('"') == 2
    assert first_line.endswith('\\010end\\010"')


# --- the request on the wire


def test_a_body_is_sent_with_its_length_in_bytes() -> None:
    shot = replace(SHOT, request=Request(method="POST", path="/a", headers=(("X-A", "1"), ("X-A", "2")), body="zwölf"))
    assert shot.wire() == (
        b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 6\r\n\r\nzw\xc3\xb6lf"
    )


def test_an_empty_post_says_that_it_is_empty() -> None:
    assert b"\r\nContent-Length: 0\r\n" in replace(SHOT, request=Request(method="POST")).wire()


NO_PORTS = "for this machine has no ports left to connect from: wait a minute, or use fewer connections"
MAYBE_NO_PORTS = "had no ports left to connect from (then wait a minute, or use fewer connections)"


@pytest.mark.parametrize(("name", "value"), [("host", "example.org"), ("CONTENT-LENGTH", "2"), ("Transfer-Encoding", "chunked")])
def test_a_header_that_is_given_is_not_added_again(name: str, value: str) -> None:
    wire = replace(SHOT, request=Request(method="PUT", headers=((name, value),), body="ok")).wire().lower()
    assert wire.count(f"{name}: {value}".lower().encode()) == 1
    assert wire.count(b"host:") == 1
    assert wire.count(b"content-length:") + wire.count(b"transfer-encoding:") == 1


# --- real results


def test_a_real_result_is_read_with_its_latency_as_measured() -> None:
    stats = wrk.parse(SHOT, ended((SAMPLES / "wrk-ok.json").read_text()))
    assert (stats.requests, stats.duration_us, stats.bytes_read) == (67_393, 2_000_699, 8_895_876)
    assert sum(count for _, count in stats.histogram) == 67_393
    assert stats.histogram == tuple(sorted(stats.histogram))
    assert stats.errors.total == 0


def test_stalls_count_as_often_as_they_happened_and_not_as_often_as_wrk_reports_them() -> None:
    text = (SAMPLES / "wrk-stall.json").read_text()
    reported = dict(json.loads(text)["latency_us"]["histogram"])
    measured = dict(wrk.parse(replace(SHOT, duration_s=3), ended(text)).histogram)
    assert share_over_100_ms(reported) > 0.3
    assert share_over_100_ms(measured) < 0.01


def share_over_100_ms(histogram: dict[int, int]) -> float:
    return sum(count for us, count in histogram.items() if us > 100_000) / sum(histogram.values())


@pytest.mark.parametrize("name", ["ok", "stall", "mixed-status", "worker-killed", "dies-midrun"])
def test_every_real_histogram_adds_up_once_the_correction_is_taken_out(name: str) -> None:
    found = json.loads((SAMPLES / f"wrk-{name}.json").read_text())
    interval = wrk.back_fill_interval(found["duration_us"], found["requests"], 16)
    assert interval is not None
    measured = wrk.uncorrected(dict(found["latency_us"]["histogram"]), interval)
    assert sum(measured.values()) == found["requests"]
    assert min(measured.values()) > 0


@pytest.mark.parametrize(
    ("name", "seconds", "sentence"),
    [
        ("dies-midrun", 3, "wrk counted 17 read and 162244 write errors: the server closed or refused connections"),
        ("worker-killed", 3, "wrk counted 15 read errors: the server closed or refused connections"),
        ("mixed-status", 2, "wrk counted 30583 status errors: answers had an unexpected status"),
        ("hang", 2, "no request was answered in 2 s"),
    ],
)
def test_a_real_failure_that_wrk_ends_with_0_is_told(name: str, seconds: int, sentence: str) -> None:
    text = (SAMPLES / f"wrk-{name}.json").read_text()
    assert failure(ended(text), replace(SHOT, duration_s=seconds)) == sentence


# --- taking out the correction


@given(LATENCIES, st.integers(1, 6000))
def test_what_stats_correct_adds_is_taken_out_exactly(measured: dict[int, int], interval: int) -> None:
    assert wrk.uncorrected(stats_correct(measured, interval), interval) == measured


@given(LATENCIES, st.integers(1, 6000))
def test_it_is_exact_also_when_the_script_sees_nothing_below_the_least_measured_latency(
    measured: dict[int, int], interval: int
) -> None:
    seen = {us: count for us, count in stats_correct(measured, interval).items() if us >= min(measured)}
    assert wrk.uncorrected(seen, interval) == measured


def test_fewer_requests_than_connections_are_left_uncorrected_as_wrk_leaves_them() -> None:
    assert wrk.back_fill_interval(2_000_000, 15, 16) is None
    assert wrk.back_fill_interval(2_000_000, 33, 16) == 1_000_000
    stats = wrk.parse(SHOT, ended(written()))
    assert stats.histogram == ((300, 1), (400, 3))


def test_a_histogram_that_does_not_add_up_is_no_result() -> None:
    latency = {"source": "ffi", "max": 400, "histogram": [[300, 1], [400, 2]]}
    assert failure(ended(written(latency_us=latency))).startswith(
        "wrk's latency histogram does not add up: 3 samples for 4 requests"
    )


def test_a_negative_count_is_no_result_even_when_the_sum_is_right() -> None:
    shot = replace(SHOT, connections=1)
    latency = {"source": "ffi", "max": 1_200_000, "histogram": [[600_000, 3], [1_100_175, 4]]}
    assert "does not add up" in failure(ended(written(latency_us=latency)), shot)


# --- results that are none


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (ended(None, stdout=""), "wrk wrote no result file and printed nothing"),
        (ended(None), "wrk wrote no result file"),
        (ended(None, stderr="report.lua: 5: no such thing\n"), "wrk wrote no result file: report.lua: 5: no such thing"),
        (ended(" \n"), "wrk wrote an empty result file"),
        (ended(written()[:-20]), "wrk's result file is not whole: it is no JSON document"),
        (ended("[1]"), "wrk's result file is not of schema 1"),
        (ended(written(schema=2)), "wrk's result file is not of schema 1"),
        (ended(written(requests=-1)), "wrk's result file has no count requests"),
        (ended(written(requests=4.0)), "wrk's result file has no count requests"),
        (ended(written(bytes=None)), "wrk's result file has no count bytes"),
        (ended(written(errors=None)), "wrk's result file has no error counts"),
        (ended(written(errors={"connect": 0})), "wrk's result file has no count status"),
        (ended(written(latency_us=None)), "wrk's result file has no latency histogram"),
        (ended(written(latency_us={"source": "skipped", "histogram": []})), "wrk's result file has no latency histogram"),
        (ended(written(latency_us={"histogram": [[1]]})), "wrk's result file has a damaged latency histogram"),
        (ended(None, code=-9), "wrk was ended by signal 9"),
        (ended(written(), code=-15), "wrk was ended by signal 15"),
        (ended(None, code=1, stdout="", stderr=""), "wrk ended with code 1"),
        (
            ended(None, code=1, stdout="Usage: wrk <options> <url>\n  Options:"),
            "wrk ended with code 1: Usage: wrk <options> <url>",
        ),
        (
            ended(None, code=1, stderr="unable to connect to 127.0.0.1:18999 Connection refused\n"),
            "wrk ended with code 1: unable to connect to 127.0.0.1:18999 Connection refused",
        ),
        (
            ended(None, code=1, stderr="unable to connect to 127.0.0.1:18999 Cannot assign requested address\n"),
            "wrk ended with code 1: unable to connect to 127.0.0.1:18999 Cannot assign requested address, " + NO_PORTS,
        ),
    ],
)
def test_what_is_not_a_whole_result_is_told_in_one_sentence(outcome: Outcome, sentence: str) -> None:
    assert failure(outcome) == sentence


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            {"connect": 1},
            "wrk counted 1 connect error: the server refused connections, or this machine " + MAYBE_NO_PORTS,
        ),
        ({"timeout": 3}, "wrk counted 3 timeout errors: answers came too late"),
        ({"read": 1, "write": 2, "status": 3}, "wrk counted 1 read, 2 write and 3 status errors: the server closed or refused"),
    ],
)
def test_any_error_makes_the_window_void(counts: dict[str, int], sentence: str) -> None:
    errors = {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0} | counts
    assert failure(ended(written(errors=errors))).startswith(sentence)


def test_an_error_status_that_is_the_right_answer_is_none() -> None:
    errors = {"connect": 0, "read": 0, "write": 0, "status": 4, "timeout": 0}
    stats = wrk.parse(replace(SHOT, expect_status=422), ended(written(errors=errors)))
    assert (stats.requests, stats.errors.total) == (4, 0)


def test_a_success_where_an_error_status_is_the_right_answer_is_an_error() -> None:
    errors = {"connect": 0, "read": 0, "write": 0, "status": 3, "timeout": 0}
    assert failure(ended(written(errors=errors)), replace(SHOT, expect_status=404)).startswith("wrk counted 1 status error:")


@pytest.mark.parametrize(
    ("asked_s", "ran_us", "valid"),
    [
        (1, 1_150_000, True),
        (1, 1_150_001, False),
        (1, 849_999, False),
        (10, 11_000_000, True),
        (10, 11_000_001, False),
        (10, 8_999_999, False),
    ],
)
def test_a_window_may_be_off_by_a_tenth_or_150_ms(asked_s: int, ran_us: int, *, valid: bool) -> None:
    shot, outcome = replace(SHOT, duration_s=asked_s), ended(written(duration_us=ran_us))
    if valid:
        assert wrk.parse(shot, outcome).duration_us == ran_us
    else:
        ran = f"wrk ran for {ran_us / 1e6:.2f} s instead of {asked_s} s"
        assert failure(outcome, shot) == f"{ran} by the clock of this machine: was it set, or the machine held up?"


# --- real runs


@pytest.fixture(name="wrk_program")
def _wrk_program(request: pytest.FixtureRequest) -> tools.Tool:
    """The wrk that the tests share, under a name that the plug-in does not have."""
    found: tools.Tool = request.getfixturevalue("wrk")
    return found


def shot_at(tool: tools.Tool, folder: Path, count: Count, every: int, protocol: str = "h1") -> Shot:
    return replace(
        SHOT,
        program=tool.path,
        url=f"http{'s' if protocol == 'h1s' else ''}://127.0.0.1:{count.port}/",
        request=Request(),
        connections=8,
        threads=2,
        duration_s=1,
        folder=str(folder),
        result=str(folder / "result"),
        requests_per_connection=every,
        protocol=protocol,
    )


@pytest.mark.servers
@pytest.mark.parametrize("every", [0, 1, 8])
def test_a_connection_lives_for_as_many_requests_on_average_and_its_end_is_no_error(
    wrk_program: tools.Tool, tmp_path: Path, every: int
) -> None:
    with counting() as count:
        shot = shot_at(wrk_program, tmp_path, count, every)
        stats = wrk.parse(shot, fire(wrk.LOAD, shot))
    assert 100 < stats.requests <= count.requests <= stats.requests + shot.connections
    # One of every `every` requests of a thread, so at most one is missing of each of the two.
    expected = count.requests // every if every else 0
    assert expected - 2 <= count.closes <= expected + 2
    if every == 1:
        assert set(count.per_connection) == {1}


@pytest.mark.servers
def test_the_connections_that_are_closed_are_not_always_the_same(wrk_program: tools.Tool, tmp_path: Path) -> None:
    with counting(delay_s=0.005) as count:  # eight connections that take turns, and one of eight requests is a last one
        shot = replace(shot_at(wrk_program, tmp_path, count, 8), threads=1)
        wrk.parse(shot, fire(wrk.LOAD, shot))
    assert max(count.per_connection) < count.requests / shot.connections / 2


@pytest.mark.servers
def test_tls_is_spoken_without_a_look_at_the_certificate_and_connections_are_kept(
    wrk_program: tools.Tool, tmp_path: Path
) -> None:
    certificate, chain, key = make_certificate(), tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(certificate.chain_pem)
    key.write_text(certificate.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with counting(tls=context) as count:
        shot = shot_at(wrk_program, tmp_path, count, 0, "h1s")
        stats = wrk.parse(shot, fire(wrk.LOAD, shot))
    assert stats.requests > 100
    assert len(count.per_connection) == shot.connections


# --- versions


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("wrk 4.1.0 [epoll] Copyright (C) 2012 Will Glozer", "4.1.0"),
        ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\nUsage: wrk <options> <url>", "debian/4.1.0-3+b2"),
        ("wrk 4.2.0-2-ga211dd5 [kqueue] Copyright (C) 2012 Will Glozer", "4.2.0-2-ga211dd5"),
        ("wrk a211dd5 [epoll] Copyright (C) 2012 Will Glozer", "a211dd5"),
        ("wrk 10.0.0 [epoll]", "10.0.0"),
    ],
)
def test_a_version_is_read_in_every_form_it_comes_in(text: str, version: str) -> None:
    assert wrk.version(text) == version


@pytest.mark.parametrize("number", ["3.1.2", "debian/3.9.9-1"])
def test_a_version_that_is_too_old_is_named(number: str) -> None:
    with pytest.raises(LoadFailure, match=f"^wrk {number} is too old: 4.0.0 or newer is needed$"):
        wrk.version(f"wrk {number} [epoll] Copyright (C) 2012 Will Glozer")


def test_another_program_of_that_name_is_not_taken_for_wrk() -> None:
    with pytest.raises(LoadFailure, match="did not print a version"):
        wrk.version("Usage: something else")
