"""What the workers said of themselves is compared with the label of the cell."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from servermatrix.contracts import Launch, Server
from servermatrix.measure import witness
from servermatrix.measure.bench import Bench, Venue, wanted
from servermatrix.measure.certificate import make_certificate
from servermatrix.measure.client import Address
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.probe import Patience, Question
from servermatrix.measure.process import Guard
from servermatrix.measure.witness import Testimony as Said
from servermatrix.measure.witness import check_interpreter, hear, judge, prove
from servermatrix.model import Cause, Expect, Proof, Request
from tests.room import ANSWERING, SHORT, SMALL, answering, guarded, make_bench, make_cell, small_server
from tests.speakers import Reply, at, http2, server_context, speaking

LABEL = {"loop": "uvloop.", "http": "uvicorn.protocols.http.h11_impl."}
SAID = Said(
    pid=1,
    loop="uvloop.Loop",
    http="uvicorn.protocols.http.h11_impl.RequestResponseCycle",
    http_version="1.1",
    python="3.12.1",
    versions=(("h11", "0.16"), ("uvloop", "0.22")),
)
VENUE = Venue(path="py")
CELL = make_cell("uvicorn", options=(("http", "h11"), ("loop", "uvloop")))


def told(*ones: Said) -> dict[int, Said]:
    return {number: replace(one, pid=number) for number, one in enumerate(ones, start=1)}


def refused(workers: int, said: dict[int, Said]) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        judge(replace(CELL, workers=workers), said, LABEL, VENUE)
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)
    return caught.value


def test_a_proof_holds_what_was_said() -> None:
    assert judge(replace(CELL, workers=2), told(SAID, SAID), LABEL, VENUE) == Proof(
        key="uvicorn[http=h11,loop=uvloop]/h1/w2",
        loop="uvloop.Loop",
        http="uvicorn.protocols.http.h11_impl.RequestResponseCycle",
        http_version="1.1",
        workers=2,
        python="3.12.1",
        versions=(("h11", "0.16"), ("uvloop", "0.22")),
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            replace(SAID, loop="asyncio.unix_events._UnixSelectorEventLoop"),
            "loop is asyncio.unix_events._UnixSelectorEventLoop, the label says uvloop",
        ),
        (
            replace(SAID, http="uvicorn.protocols.http.httptools_impl.RequestResponseCycle"),
            "http is uvicorn.protocols.http.httptools_impl.RequestResponseCycle, the label says uvicorn.protocols.http.h11_impl",
        ),
        (replace(SAID, http_version="1.0"), "http version is 1.0, the label says 1.1"),
        (replace(SAID, http_version="2"), "http version is 2, the label says 1.1"),
        (replace(SAID, loop="uvloopish.Loop"), "loop is uvloopish.Loop, the label says uvloop"),
    ],
)
def test_what_differs_from_the_label_is_named(wrong: Said, sentence: str) -> None:
    assert refused(1, told(wrong)).reason == sentence


def test_one_worker_that_differs_from_the_others_is_enough() -> None:
    assert "loop is asyncio" in refused(3, told(SAID, SAID, replace(SAID, loop="asyncio.Loop"))).reason


@pytest.mark.parametrize(("workers", "count"), [(2, 1), (1, 2), (4, 3), (1, 0)])
def test_too_few_or_too_many_workers_are_refused(workers: int, count: int) -> None:
    assert refused(workers, told(*[SAID] * count)).reason == f"{count} worker processes answered, the label says {workers}"


@pytest.mark.parametrize("protocol", ["h2c", "h2"])
@pytest.mark.parametrize("version", ["2", "2.0"])
def test_http_2_is_accepted_where_the_label_says_so(protocol: str, version: str) -> None:
    proof = judge(replace(CELL, protocol=protocol), told(replace(SAID, http_version=version)), LABEL, VENUE)
    assert (proof.key, proof.http_version) == (f"uvicorn[http=h11,loop=uvloop]/{protocol}/w1", version)


@pytest.mark.parametrize("protocol", ["h2c", "h2"])
def test_a_server_that_goes_down_to_http_1_in_silence_fails(protocol: str) -> None:
    with pytest.raises(StepFailure) as caught:
        judge(replace(CELL, protocol=protocol), told(SAID), LABEL, VENUE)
    assert caught.value.reason == "http version is 1.1, the label says 2"
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_one_worker_that_goes_down_to_http_1_is_enough() -> None:
    both = told(replace(SAID, http_version="2"), SAID)
    with pytest.raises(StepFailure, match=r"http version is 1\.1, the label says 2"):
        judge(replace(CELL, protocol="h2", workers=2), both, LABEL, VENUE)


@pytest.mark.parametrize(
    ("venue", "sentence"),
    [
        (Venue(path="py", pins=("uvloop==0.21",)), "uvloop is 0.22 inside the server, but 0.21 was asked for"),
        (Venue(path="py", pins=("uvloop<0.22",)), "uvloop is 0.22 inside the server, but uvloop<0.22 was asked for"),
        (
            Venue(path="py", pins=("gunicorn==27.0.1",)),
            "gunicorn is not installed inside the server, but gunicorn==27.0.1 was asked for",
        ),
        (Venue(path="py", constraints=("h11==0.14.0",)), "h11 is 0.16 inside the server, but 0.14.0 was asked for"),
        (
            Venue(path="py", pins=("h11>=0.16",), constraints=("uvloop==0.23",)),
            "uvloop is 0.22 inside the server, but 0.23 was asked for",
        ),
    ],
)
def test_a_version_inside_that_is_not_the_one_asked_for_fails(venue: Venue, sentence: str) -> None:
    with pytest.raises(StepFailure) as caught:
        judge(CELL, told(SAID), LABEL, venue)
    assert caught.value.reason == sentence
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)


def test_one_worker_with_another_version_is_enough() -> None:
    both = told(SAID, replace(SAID, versions=(("h11", "0.16"), ("uvloop", "0.21"))))
    with pytest.raises(StepFailure, match=r"uvloop is 0\.21 inside the server, but 0\.22 was asked for"):
        judge(replace(CELL, workers=2), both, LABEL, Venue(path="py", pins=("uvloop==0.22",)))


def test_versions_that_are_those_asked_for_are_kept_in_the_proof() -> None:
    venue = Venue(path="py", pins=("uvloop==0.22.0", "h11"), constraints=("h11==0.16.0", "httptools==1"))
    assert judge(CELL, told(SAID), LABEL, venue).versions == SAID.versions


def test_version_and_cipher_of_tls_and_the_interface_are_kept_in_the_proof() -> None:
    cell = replace(CELL, protocol="h1s", interface="wsgi")
    proof = judge(cell, told(replace(SAID, tls="TLSv1.3 TLS_AES_128_GCM_SHA256")), LABEL, VENUE)
    assert (proof.tls, proof.interface) == ("TLSv1.3 TLS_AES_128_GCM_SHA256", "wsgi")
    plain = judge(CELL, told(SAID), LABEL, VENUE)
    assert (plain.tls, plain.interface) == ("", "asgi")


def test_every_protocol_of_the_contract_has_its_http_version() -> None:
    assert set(witness.HTTP_VERSIONS) == {"h1", "h1s", "h2c", "h2"}


def test_cells_that_differ_only_in_app_and_load_share_their_proof() -> None:
    other = replace(CELL, app="body", load=replace(CELL.load, connections=512))
    assert CELL.start == other.start
    changed = (replace(CELL, workers=2), replace(CELL, protocol="h2"), replace(CELL, label="x"), replace(CELL, python="3.13"))
    assert len({cell.start for cell in (CELL, *changed, replace(CELL, requires=("h11==0.14",)))}) == 6


def document(pid: int) -> bytes:
    return json.dumps(
        {"pid": pid, "loop": "a.B", "http": "c.D", "http_version": "1.1", "python": "3.12.1", "versions": {"b": "2", "a": None}}
    ).encode()


def question(address: Address) -> Question:
    return Question(address=address, request=Request(), expect=Expect(), patience=SHORT)


def answers(*bodies: bytes) -> Callable[[], tuple[int, bytes]]:
    each = cycle(bodies)
    return lambda: (200, next(each))


def test_asking_goes_on_until_every_worker_has_answered() -> None:
    with answering(answers(*[document(7)] * 20, document(8), document(9))) as address:
        said = hear(question(address), 3)
    assert set(said) == {7, 8, 9}
    assert said[7].versions == (("b", "2"),)  # what is not installed has none


def test_more_workers_than_the_label_says_come_to_light() -> None:
    with answering(answers(document(7), document(8))) as address:
        assert set(hear(question(address), 1)) == {7, 8}


def test_asking_is_bounded_when_a_worker_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "LIMIT_S", 0.2)
    with answering(answers(document(7))) as address:
        assert set(hear(question(address), 2)) == {7}


def test_a_server_that_is_gone_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "LIMIT_S", 0.1)
    with answering(answers(b"")) as address:
        pass
    assert hear(question(address), 1) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Hello",
        b"[]",
        b"{}",
        document(1).replace(b"a.B", b'"'),
        b'{"pid": "x"}',
        document(1).replace(b'{"b": "2", "a": null}', b"[1]"),
    ],
)
def test_what_is_no_testimony_is_refused(body: bytes) -> None:
    with answering(answers(body)) as address, pytest.raises(StepFailure, match="the witness gave no testimony") as caught:
        hear(question(address), 1)
    assert caught.value.fatal


def test_what_a_worker_says_is_heard_in_the_protocol_of_the_cell_with_the_tls_it_got() -> None:
    certificate = make_certificate()
    body = document(7)
    reply = Reply(headers=((":status", "200"),), body=body)
    with speaking(http2(reply), server_context(certificate, "h2")) as port:
        said = hear(replace(question(at(port)), address=at(port, "h2", certificate), patience=Patience()), 1)
    assert said[7].tls.startswith("TLSv1.3 TLS_")


def bench_server(requires: tuple[str, ...], needs: tuple[str, ...] = ()) -> Server:
    return replace(small_server(), requires=requires, needs=lambda _: needs)


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (bench_server(("uvicorn>=9",)), "uvicorn 0.54 is installed but uvicorn>=9 is needed"),
        (bench_server(("uvicorn",), ("uvloop",)), "uvloop is not installed; type: .*python.* -m pip install 'uvloop'"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_started(tmp_path: Path, server: Server, sentence: str) -> None:
    with guarded() as guard:
        bench = make_bench(tmp_path, guard, server=server)
        venue = replace(bench.venues[SMALL], versions={"uvicorn": "0.54", "uvloop": None})
        with pytest.raises(StepFailure, match=sentence) as caught:
            prove(replace(bench, venues={SMALL: venue}), make_cell())
    assert (caught.value.cause, caught.value.fatal) == (Cause.ENVIRONMENT, True)
    assert list((tmp_path / "logs").iterdir()) == []


def test_an_environment_that_could_not_be_made_fails_its_cells_with_the_reason_and_starts_nothing(tmp_path: Path) -> None:
    failing = Venue(path="gone", failure="uvicorn==99 cannot be installed: there is no version of uvicorn==99")
    with guarded() as guard, pytest.raises(StepFailure) as caught:
        prove(replace(make_bench(tmp_path, guard), venues={SMALL: failing}), make_cell())
    assert caught.value.reason == failing.failure
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_cell_that_needs_more_than_its_set_gives_fails_alone_and_is_not_told_to_install(tmp_path: Path) -> None:
    cell = replace(make_cell(), requires=("uvicorn==0.52.0",))
    venue = Venue(path="made", versions={"uvicorn": "0.52.0"}, pins=cell.requires)
    with guarded() as guard:
        bench = make_bench(tmp_path, guard, server=bench_server(("uvicorn",), ("uvicorn>=0.53",)))
        bench = replace(bench, venues={wanted(cell): venue})
        with pytest.raises(StepFailure) as caught:
            prove(bench, cell)
    assert caught.value.reason == "uvicorn 0.52.0 is installed but uvicorn>=0.53 is needed, in the environment of this cell"
    assert caught.value.cause is Cause.SERVER


def test_what_could_not_be_installed_beside_an_app_fails_the_cells_that_need_it_with_the_reason(tmp_path: Path) -> None:
    refused = {"uvloop>=1": "uvloop>=1 cannot be installed: there is none"}
    venue = Venue(path="made", versions={"uvicorn": "0.54", "uvloop": "0.23"}, beside="theirs", refused=refused)
    with guarded() as guard:
        bench = replace(make_bench(tmp_path, guard, server=bench_server(("uvicorn",), ("uvloop>=1",))), venues={SMALL: venue})
        with pytest.raises(StepFailure) as caught:
            check_interpreter(bench, make_cell())
        check_interpreter(replace(bench, servers={"small": bench_server(("uvicorn",), ("uvloop",))}), make_cell())
    assert (caught.value.cause, caught.value.reason) == (Cause.SERVER, refused["uvloop>=1"])


def witnessing(tmp_path: Path, guard: Guard, **said: object) -> Bench:
    """A bench whose server is a witness that always says the same."""
    body = json.dumps({**json.loads(document(7)), **said})
    bench = make_bench(tmp_path, guard, server=small_server(ANSWERING, "200", body))
    return replace(bench, witness=replace(bench.witness, expect=Expect(contains="pid")))


def test_a_whole_proof_is_heard_from_a_running_server(tmp_path: Path) -> None:
    with guarded() as guard:
        assert prove(witnessing(tmp_path, guard), make_cell()).loop == "a.B"


def test_the_witness_is_asked_for_what_is_needed_and_what_was_asked_for(tmp_path: Path) -> None:
    tells_the_path = ANSWERING.replace("sys.argv[3].encode()", "sys.argv[3].replace('PATH', self.path).encode()")
    body = json.dumps({**json.loads(document(7)), "http": "PATH"})
    server = replace(small_server(tells_the_path, "200", body), requires=("One>=1",), needs=lambda _: ("two[extra]",))
    venue = Venue(path=sys.executable, versions={"one": "1", "two": "2"}, pins=("three<4",))
    with guarded() as guard:
        bench = replace(make_bench(tmp_path, guard, server=server), venues={SMALL: venue})
        bench = replace(bench, witness=replace(bench.witness, expect=Expect(contains="pid")))
        with pytest.raises(StepFailure, match="three is not installed inside the server, but three<4 was asked for"):
            prove(bench, make_cell())
        without_pin = replace(bench, venues={SMALL: replace(venue, pins=())})
        assert prove(without_pin, make_cell()).http == "/?one&two"


def test_an_alarm_fails_the_proof(tmp_path: Path) -> None:
    with guarded() as guard:
        bench = witnessing(tmp_path, guard)
        source = "print('WARNING: going on without brakes', flush=True)\n" + ANSWERING
        loud = replace(small_server(source, "200", document(7).decode()), alarms=("without brakes",))
        with pytest.raises(StepFailure, match="its log says WARNING: going on without brakes"):
            prove(replace(bench, servers={"small": loud}), make_cell())


def test_the_witness_is_started_by_the_target_that_speaks_the_interface_of_the_cell(tmp_path: Path) -> None:
    with guarded() as guard:
        bench = witnessing(tmp_path, guard)
        bench = replace(bench, witness=replace(bench.witness, twins=(("wsgi", "twin:app"),)))
        server = bench.servers["small"]
        targets: list[str] = []

        def argv(launch: Launch) -> list[str]:
            targets.append(launch.target)
            return server.argv(launch)

        bench = replace(bench, servers={"small": replace(server, argv=argv)})
        assert prove(bench, replace(make_cell(), interface="wsgi")).interface == "wsgi"
        with pytest.raises(StepFailure, match="the app witness is not written for RSGI"):
            prove(bench, replace(make_cell(), interface="rsgi"))
    assert targets == ["twin:app"]
