"""daphne: one process on Twisted, which runs on asyncio's loop."""

from servermatrix.contracts import ACCESS_LOG, Launch, Server

# Both are Twisted's and cannot be set.
IDLE_S = 60
STREAMS = 100


def argv(launch: Launch) -> list[str]:
    """Build the command line; where to listen is said as one of Twisted's endpoints, which alone know TLS and a backlog."""
    return [
        *(launch.python, "-m", "daphne", "--endpoint", endpoint(launch)),
        *("--verbosity", "0", *(("--access-log", "-") if launch.access_log else ())),
        launch.target,
    ]


def endpoint(launch: Launch) -> str:
    """Describe where to listen; HTTP/2 is offered over TLS whenever its packages are installed."""
    where = f"{launch.port}:interface={escaped(launch.host)}:backlog={launch.backlog}"
    if not launch.encrypted:
        return f"tcp:{where}"
    return f"ssl:{where}:privateKey={escaped(launch.key)}:certKey={escaped(launch.certificate)}"


def escaped(value: str) -> str:
    """Write a value as Twisted reads it."""
    return value.replace("\\", "\\\\").replace(":", "\\:")


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this protocol."""
    return (*(("pyOpenSSL",) if launch.encrypted else ()), *(("h2", "priority") if launch.http2 else ()))


def objection(launch: Launch) -> str | None:
    """Refuse what cannot run, saying what happens when it is tried."""
    if launch.protocol == "h2c":
        return "daphne speaks HTTP/2 over TLS alone and closes a cleartext connection of it without an answer"
    if launch.workers > 1:
        return "daphne has no worker processes: there is always one"
    if launch.factory:
        return "daphne cannot call a function that makes the app: given one, it answers 500"
    return "daphne never runs the lifespan of the app, which is to be on" if launch.lifespan == "on" else None


def proof(_: Launch) -> dict[str, str]:
    """Say what the witness must find."""
    return {"loop": "asyncio.", "http": "daphne.server.Server"}


def unequal(launch: Launch) -> tuple[str, ...]:
    """List what cannot be set as on the other servers."""
    return (
        "daphne sends no Date header",
        *(() if launch.lifespan == "off" else ("daphne never runs the lifespan of the app",)),
        f"daphne closes a connection after {IDLE_S} s without a request, not after {launch.keep_alive_s}",
        *((f"daphne takes {STREAMS} streams at once on a connection, not 128",) if launch.http2 else ()),
    )


SERVER = Server(
    requires=("daphne>=4.1",),
    options={"access_log": ACCESS_LOG},
    protocols=("h1", "h1s", "h2"),
    argv=argv,
    needs=needs,
    objection=objection,
    proof=proof,
    unequal=unequal,
)
