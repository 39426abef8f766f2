"""What two runs do not have in common: what forbids to compare them, and what may be the reason for a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from servermatrix.analysis import conditions
from servermatrix.model import App, Asked, Cell, Expect, Host, Load, Noise, Proof, Request, Run, RunHeader, Unlike
from tests.unit.compared_runs import A, B, steady

BASE = steady("base")
APP = App(name="plaintext", target="apps.plaintext:app", folder="here")


def found(head: RunHeader, base: RunHeader = BASE.header, cells: tuple[tuple[Cell, Cell], ...] = ((A, A),)) -> tuple[Unlike, ...]:
    return conditions.unlike(base, head, cells)


def host(**other: object) -> RunHeader:
    return replace(BASE.header, host=replace(BASE.header.host, **other))  # type: ignore[arg-type]


def test_runs_that_are_alike_have_nothing_that_differs() -> None:
    assert found(BASE.header) == ()
    assert conditions.changed(BASE, steady("head")) == ()


@pytest.mark.parametrize(
    ("head", "what", "base", "other"),
    [
        (host(system="Linux 7"), "system", "Linux", "Linux 7"),
        (host(cpu="another"), "cpu", "a cpu", "another"),
        (host(cores=8), "cores", "4", "8"),
        (host(memory_bytes=2**34), "memory MiB", "8,192", "16,384"),
        (host(pinned="server on 0, generator on 1: why"), "how the cores are split", "not pinned", "server on 0, generator on 1"),
        (
            replace(BASE.header, noise=Noise(foreign_cpu=0.5)),
            "noise allowed",
            "others 10% of a core, steal 2%",
            "others 50% of a core, steal 2%",
        ),
    ],
)
def test_another_machine_or_other_limits_concern_every_cell(head: RunHeader, what: str, base: str, other: str) -> None:
    (one,) = found(head)
    assert (one.what, one.base, one.head) == (what, base, other)
    assert one.concerns("any cell")


@pytest.mark.parametrize(
    "alike",
    [
        {"memory_bytes": 2**33 - 2**25},  # what a kernel keeps for itself
        {"pinned": "not pinned: this is told in other words from version to version"},
        {"python": "3.14.0"},  # may be what is compared
    ],
)
def test_what_does_not_make_another_machine_of_it(alike: dict[str, object]) -> None:
    assert found(host(**alike)) == ()


def test_another_version_of_a_generator_concerns_the_cells_it_drives() -> None:
    by_wrk = replace(B, load=replace(B.load, generator="wrk"))
    base = replace(BASE.header, generators=(("fake", "1"), ("wrk", "4.1.0"), ("h2load", "1.52")))
    head = replace(base, generators=(("fake", "1"), ("wrk", ""), ("h2load", "1.64")))
    (one,) = found(head, base, ((A, A), (by_wrk, by_wrk)))
    assert (one.what, one.base, one.head) == ("version of wrk", "4.1.0", "is missing")
    assert not one.concerns(A.id)
    assert one.concerns(by_wrk.id)


@pytest.mark.parametrize(
    "change",
    [
        lambda load: replace(load, generator="wrk"),
        lambda load: replace(load, threads=2),
        lambda load: replace(load, duration_s=9),
        lambda load: replace(load, warmup_s=9),
        lambda load: replace(load, windows=9),
    ],
)
def test_another_load_is_found_whatever_of_it_is_another(change: Callable[[Load], Load]) -> None:
    other = replace(A, load=change(A.load))
    assert other.id == A.id
    (one,) = found(BASE.header, cells=((A, other), (B, B)))
    assert one.what == "load"
    assert one.base == "fake, 64 connections, 1 thread, 1 window of 2 s after 0 s of warm-up"
    assert one.base != one.head
    assert one.cells == {A.id}


def test_loads_that_differ_alike_are_told_once() -> None:
    longer = [replace(cell, load=replace(cell.load, duration_s=9)) for cell in (A, B)]
    (one,) = found(BASE.header, cells=((A, longer[0]), (B, longer[1])))
    assert one.cells == {A.id, B.id}


def test_options_that_the_id_does_not_show_are_looked_at() -> None:
    logging = replace(A, options=(("access_log", "on"),))
    (one,) = found(BASE.header, cells=((A, logging),))
    assert (one.what, one.base, one.head) == ("options", "none", "access_log=on")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (replace(APP, request=Request(path="/other")), "GET /other, answer 200"),
        (replace(APP, request=Request(method="POST", headers=(("a", "b"),), body="x")), "POST / a: b body 'x', answer 200"),
        (replace(APP, expect=Expect(status=204)), "GET /, answer 204"),
        (replace(APP, expect=Expect(body="hello")), "GET /, answer 200 'hello'"),
        (replace(APP, expect=Expect(contains="hell")), "GET /, answer 200 with 'hell'"),
        (
            replace(APP, mix=(Asked(request=Request(), weight=3), Asked(request=Request(path="/b")))),
            "3 x GET /, answer 200; 1 x GET /b, answer 200",
        ),
    ],
)
def test_another_request_is_not_the_same_load(app: App, said: str) -> None:
    base, head = replace(BASE.header, apps=(APP,)), replace(BASE.header, apps=(app,))
    (one,) = found(head, base)
    assert (one.what, one.base, one.head) == ("request of plaintext", "GET /, answer 200", said)
    assert one.cells == {A.id}


def changes(head: Run, base: Run = BASE) -> list[tuple[str, str, str]]:
    return [(one.what, one.base, one.head) for one in conditions.changed(base, head)]


def test_packages_sources_and_apps_are_told_and_forbid_nothing() -> None:
    base = steady("base", versions=(("h11", "0.16"), ("uvicorn", "0.52"), ("wsproto", "1")), git="abc", apps=(APP,))
    moved = replace(APP, folder="there")
    head = steady("head", versions=(("h11", "0.16"), ("uvicorn", "0.54"), ("zttp", "2")), git="", apps=(moved,))
    assert changes(head, base) == [
        ("uvicorn", "0.52", "0.54"),
        ("wsproto", "1", "none"),
        ("zttp", "none", "2"),
        ("app plaintext", "apps.plaintext:app in here", "apps.plaintext:app in there"),
        ("git", "abc", "none"),
    ]
    assert found(head.header, base.header) == ()


def proof(key: str, python: str) -> Proof:
    return Proof(key=key, loop="", http="", http_version="1.1", workers=1, python=python, versions=())


def test_the_pythons_of_the_tool_and_of_the_servers_are_told_each_once() -> None:
    new: Host = replace(BASE.header.host, python="3.14.0")
    base = replace(BASE, proofs=(proof("a", "3.11.7"), proof("b", "3.11.7"), proof("gone", "3.9.0")))
    head = replace(steady("head", host=new), proofs=(proof("a", "3.13.1"), proof("b", "3.13.1")))
    assert changes(head, base) == [
        ("python of the tool", "3.11.9", "3.14.0"),
        ("python of the servers", "3.11.7", "3.13.1"),
    ]
