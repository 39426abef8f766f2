"""Every valid combination of every server plug-in found, for the tests that go over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from servermatrix.config.options import named_values
from servermatrix.contracts import Launch, Server
from servermatrix.expand import Pairs, effective
from servermatrix.plugins import load_servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One way to start one server, as the matrix could ask for it."""

    name: str
    server: Server
    options: Pairs
    protocol: str

    def __str__(self) -> str:
        return f"{self.name}[{','.join(f'{name}={value}' for name, value in self.options)}]/{self.protocol}"

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


def option_sets(server: Server) -> list[Pairs]:
    """List every set of options that the matrix could make for a server; a Count stands at its default."""
    axes = [[(name, value) for value in (named_values(option) or (option.default,))] for name, option in server.options.items()]
    return list(dict.fromkeys(effective(server, chosen) for chosen in product(*axes)))


def combinations() -> Iterator[Combination]:
    """Yield every combination of every server found that the server itself does not object to."""
    for name, server in load_servers().items():
        for protocol, options in product(server.protocols, option_sets(server)):
            one = Combination(name=name, server=server, options=options, protocol=protocol)
            if server.objection(one.launch()) is None:
                yield one
