"""What the workers said of themselves is compared with the label of the cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from servermatrix.contracts import Server
from servermatrix.measure import witness
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.probe import Address, Question
from servermatrix.measure.witness import Testimony as Said
from servermatrix.measure.witness import hear, judge, proof_key, prove
from servermatrix.model import Cause, Expect, Proof, Request
from tests.room import ANSWERING, SHORT, answering, guarded, make_bench, make_cell, small_server

LABEL = {"loop": "uvloop.", "http": "uvicorn.protocols.http.h11_impl."}
SAID = Said(
    pid=1,
    loop="uvloop.Loop",
    http="uvicorn.protocols.http.h11_impl.RequestResponseCycle",
    http_version="1.1",
    python="3.12.1",
    versions=(("h11", "0.16"), ("uvloop", "0.22")),
)
CELL = make_cell("uvicorn", options=(("http", "h11"), ("loop", "uvloop")))


def told(*ones: Said) -> dict[int, Said]:
    return {number: replace(one, pid=number) for number, one in enumerate(ones, start=1)}


def refused(workers: int, said: dict[int, Said]) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        judge(replace(CELL, workers=workers), said, LABEL)
    assert (caught.value.cause, caught.value.fatal) == (Cause.SERVER, True)
    return caught.value


def test_a_proof_holds_what_was_said() -> None:
    assert judge(replace(CELL, workers=2), told(SAID, SAID), LABEL) == Proof(
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


def test_http_2_is_demanded_where_the_label_says_so() -> None:
    for protocol in ("h2", "h2c"):
        cell = replace(CELL, protocol=protocol)
        assert judge(cell, told(replace(SAID, http_version="2")), LABEL).http_version == "2"
        with pytest.raises(StepFailure, match=r"http version is 1\.1, the label says 2"):
            judge(cell, told(SAID), LABEL)


def test_every_protocol_of_the_contract_has_its_http_version() -> None:
    assert set(witness.HTTP_VERSIONS) == {"h1", "h1s", "h2c", "h2"}


def test_cells_that_differ_only_in_app_and_load_share_their_proof() -> None:
    other = replace(CELL, app="body", load=replace(CELL.load, connections=512))
    assert proof_key(CELL) == proof_key(other)
    assert len({proof_key(replace(CELL, **change)) for change in ({}, {"workers": 2}, {"protocol": "h2"}, {"label": "x"})}) == 4


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
    assert said[7].versions == (("a", "None"), ("b", "2"))


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


@pytest.mark.parametrize("body", [b"", b"Hello", b"[]", b"{}", document(1).replace(b"a.B", b'"'), b'{"pid": "x"}'])
def test_what_is_no_testimony_is_refused(body: bytes) -> None:
    with answering(answers(body)) as address, pytest.raises(StepFailure, match="the witness gave no testimony") as caught:
        hear(question(address), 1)
    assert caught.value.fatal


def bench_server(requires: tuple[str, ...], needs: tuple[str, ...] = ()) -> Server:
    return replace(small_server(), requires=requires, needs=lambda _: needs)


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (bench_server(("uvicorn>=9",)), "uvicorn 0.54 is installed but uvicorn>=9 is needed"),
        (bench_server(("uvicorn",), ("uvloop",)), "uvloop is not installed"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_started(tmp_path: Path, server: Server, sentence: str) -> None:
    with guarded() as guard:
        bench = replace(make_bench(tmp_path, guard, server=server), versions={"uvicorn": "0.54", "uvloop": None})
        with pytest.raises(StepFailure, match=sentence) as caught:
            prove(bench, make_cell())
    assert (caught.value.cause, caught.value.fatal) == (Cause.ENVIRONMENT, True)
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_whole_proof_is_heard_from_a_running_server(tmp_path: Path) -> None:
    body = document(7).decode()
    server = replace(small_server(), argv=small_server(ANSWERING, "200", body).argv)
    with guarded() as guard:
        bench = make_bench(tmp_path, guard, server=server)
        bench = replace(bench, witness=replace(bench.witness, expect=Expect(contains="pid")))
        assert prove(bench, make_cell()).loop == "a.B"
