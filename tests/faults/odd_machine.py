"""Measures one step of the stub on a machine that was made odd for this process alone: few ports, or a CPU quota.

`odd_machine.py FOLDER DRIVER HOW [ARGUMENT]`; DRIVER is JSON: name, program and environment of the generator. It prints what
became of the step as JSON. `odd_machine.py hold-ports PROGRAM WORD...` is a generator that has no port to connect from.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from servermatrix import plugins
from servermatrix.contracts import Launch, Server
from servermatrix.measure import run
from servermatrix.measure.bench import Driver, Venue, wanted
from servermatrix.measure.probe import Patience, free_port
from servermatrix.measure.process import Guard, adopt_orphans
from servermatrix.model import Failed, Noise, Step
from tests.faults.real_servers import LOAD, cell
from tests.room import make_bench

HOST = "127.0.0.1"
STUB = Path(__file__).with_name("stub_server.py")
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
PORT = 20_000  # below those to connect from
CONNECTIONS = 24


def switch_loopback_on() -> None:
    """Set the interface of a fresh network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0)))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def few_ports(count: int) -> None:
    """Leave so many ports to connect from, in this network namespace; whoever was made root for that is so no longer."""
    switch_loopback_on()
    PORT_RANGE.write_text(f"40000 {40000 + count - 1}\n")
    if "SUDO_UID" in os.environ:
        os.setgid(int(os.environ["SUDO_GID"]))
        os.setuid(int(os.environ["SUDO_UID"]))


def join(group: str) -> None:
    """Move this process into a control group; what it starts is in there too."""
    (Path(group) / "cgroup.procs").write_text(str(os.getpid()))


def hold_ports(program: str, words: list[str]) -> NoReturn:
    """Hold every port there is to connect to 127.0.0.1 from, and become the generator, which inherits them."""
    low, high = map(int, PORT_RANGE.read_text().split())
    for port in range(low, high + 1):
        one = socket.socket()
        with contextlib.suppress(OSError):  # it lingers after a connection
            one.bind((HOST, port))
        os.set_inheritable(one.detach(), True)
    os.execv(program, [program, *words])  # noqa: S606 - a generator of the tests


def stub() -> Server:
    """Describe the stub that behaves."""

    def argv(launch: Launch) -> list[str]:
        return [launch.python, str(STUB), str(launch.port), "works"]

    return Server(requires=(), options={}, protocols=("h1",), argv=argv, proof=lambda _: {})


def make_odd(how: str, argument: str) -> None:
    """Give this process few ports (a number) in its network namespace, or a control group (a folder); or change nothing."""
    if how == "ports":
        few_ports(int(argument))
    elif how == "group":
        join(argument)


def main(folder: str, driver: str, how: str, argument: str = "") -> None:
    """Make the machine odd, measure, say what came of it."""
    make_odd(how, argument)
    adopt_orphans()
    told, guard = json.loads(driver), Guard()
    name = str(told["name"])
    generator = Driver(plugin=plugins.load_generators()[name], program=told["program"], env=tuple(map(tuple, told["env"])))
    wish = cell()
    wish = replace(wish, load=replace(LOAD, generator=name, connections=CONNECTIONS))
    plain = make_bench(Path(folder), guard)
    bench = replace(
        plain,
        venues={wanted(wish): Venue(path=sys.executable)},
        servers={wish.server: stub()},
        apps={wish.app: plain.apps["plain"]},
        drivers={name: generator},
        noise=Noise(foreign_cpu=1.0, steal=0.99),  # whoever else is here
        patience=Patience(answer_s=1.0, ready_s=8.0),
        pick_port=(lambda _: PORT) if how == "ports" else free_port,
    )
    sample = run.measure_step(bench, Step(cell=wish, round=1))
    guard.close()
    cause, reason = (str(sample.cause), sample.reason) if isinstance(sample, Failed) else ("", "")
    print(json.dumps({"kind": type(sample).__name__, "cause": cause, "reason": reason}))  # noqa: T201 - its result


if __name__ == "__main__":
    if sys.argv[1] == "hold-ports":
        hold_ports(sys.argv[2], sys.argv[3:])
    main(*sys.argv[1:])
