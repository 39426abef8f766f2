"""The program under test, as the header of a run file keeps it; reads no file and knows no run."""

from __future__ import annotations

from servermatrix.model import App, Asked, Control, Expect, Request
from servermatrix.store.jsonvalue import Raw, flag, number, objects, optional_text, pairs, part, text, whole


def read_app(raw: Raw) -> App:
    """Read an app; raises what jsonvalue raises for damage."""
    return App(
        name=text(raw, "name"),
        target=text(raw, "target"),
        folder=text(raw, "folder"),
        request=_request(part(raw, "request")),
        expect=_expect(part(raw, "expect")),
        twins=pairs(str, raw.get("twins", [])),
        control=None if raw.get("control") is None else _control(part(raw, "control")),
        factory=flag(raw, "factory"),
        lifespan=text(raw, "lifespan", "auto"),
        env=pairs(str, raw.get("env", [])),
        mix=tuple(map(_asked, objects(raw, "mix"))) if "mix" in raw else (),
    )


def _asked(raw: Raw) -> Asked:
    return Asked(request=_request(part(raw, "request")), expect=_expect(part(raw, "expect")), weight=whole(raw, "weight"))


def _control(raw: Raw) -> Control:
    return Control(
        holds=text(raw, "holds"),
        seconds=number(raw, "seconds"),
        threads=whole(raw, "threads"),
        burns=number(raw, "burns"),
        beyond=text(raw, "beyond"),
    )


def _request(raw: Raw) -> Request:
    return Request(
        method=text(raw, "method"),
        path=text(raw, "path"),
        headers=pairs(str, raw["headers"]),
        body=text(raw, "body"),
    )


def _expect(raw: Raw) -> Expect:
    return Expect(status=whole(raw, "status"), body=optional_text(raw, "body"), contains=optional_text(raw, "contains"))
