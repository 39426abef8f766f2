"""Every valid combination of every server plug-in found, for the tests that go over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from servermatrix.config.options import named_values
from servermatrix.contracts import Launch, Option, Server
from servermatrix.expand import Pairs, effective
from servermatrix.model import PROTOCOLS
from servermatrix.plugins import load_servers

ACCESS_LOG = "access_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One way to start one server, as the matrix could ask for it."""

    name: str
    server: Server
    options: Pairs
    protocol: str

    def __str__(self) -> str:
        shown = ",".join(f"{name}={value}" for name, value in self.options if name != ACCESS_LOG)
        return f"{self.name}[{shown}]/{self.protocol}"

    @property
    def label(self) -> str:
        """Name the options that stand in the id of a cell."""
        options = self.server.options
        shown = [f"{name}={value}" for name, value in self.options if options[name].in_id or value != options[name].default]
        return ",".join(shown)

    def logging(self) -> Combination:
        """Ask for an access log."""
        chosen = tuple((dict(self.options) | {ACCESS_LOG: "on"}).items())
        return replace(self, options=effective(self.server, chosen, self.protocol))

    def launch(self, *, workers: int = 1, port: int = 8123, folder: str = "/cell") -> Launch:
        """Say how it is started."""
        return Launch(
            python="/venv/bin/python",
            target="some.app:app",
            host="127.0.0.1",
            port=port,
            workers=workers,
            protocol=self.protocol,
            options=dict(self.options),
            folder=folder,
        )


def option_sets(server: Server, protocol: str) -> list[Pairs]:
    """List every set of options that the matrix could make for a server; a Count and the access log stand at their defaults."""
    axes = [[(name, value) for value in _values(name, option)] for name, option in server.options.items()]
    return list(dict.fromkeys(effective(server, chosen, protocol) for chosen in product(*axes)))


def _values(name: str, option: Option) -> tuple[str, ...]:
    return (option.default,) if name == ACCESS_LOG else named_values(option) or (option.default,)


def everything() -> Iterator[Combination]:
    """Yield every combination of every server found in every protocol there is, those that cannot run as well."""
    for name, server in load_servers().items():
        for protocol in PROTOCOLS:
            for options in option_sets(server, protocol):
                yield Combination(name=name, server=server, options=options, protocol=protocol)


def combinations() -> Iterator[Combination]:
    """Yield every combination of every server found that the server itself does not object to, without access logs."""
    for one in everything():
        if one.protocol in one.server.protocols and one.server.objection(one.launch()) is None:
            yield one
