"""gunicorn: its own `asgi` worker, uvicorn's with loop and parser chosen by a generated class, and four for WSGI apps."""

import json

from servermatrix.contracts import ACCESS_LOG, Choice, Count, Launch, Server

# The word for the command line, and the beginning of the class that the witness finds.
LOOPS = {
    "asyncio": ("asyncio", "asyncio."),
    "uvloop": ("uvloop", "uvloop."),
    "rloop": ("rloop:new_event_loop", "rloop."),
}
PARSERS = {
    "h11": "uvicorn.protocols.http.h11_impl.",
    "httptools": "uvicorn.protocols.http.httptools_impl.",
    "zttp": "uvicorn.protocols.http.zttp_impl.",
}
ZTTP_HTTP2 = "uvicorn.protocols.http.zttp_h2_impl."

ASGI_WORKERS = ("asgi", "uvicorn")
WSGI_WORKERS = {
    "sync": "gunicorn.workers.sync.SyncWorker",
    "gthread": "gunicorn.workers.gthread.ThreadWorker",
    "gevent": "gunicorn.workers.ggevent.GeventWorker",
    "tornado": "gunicorn.workers.gtornado.TornadoWorker",
}
WITHOUT_HTTP2 = ("sync", "tornado")
WITH_PARSER = {"interface": ("asgi",), "worker": ("asgi",), "protocol": ("h1", "h1s")}

PACKAGES = {"gevent": ("gevent>=24.10.1", "packaging"), "tornado": ("tornado>=6.5",)}

DIFFERENCES = {
    "asgi": (
        "gunicorn's asgi worker listens with a backlog of 100 whatever --backlog says",
        "gunicorn's asgi worker looks for a proxy's headers in every request, which on the others is off",
    ),
    "sync": ("gunicorn's sync worker closes every connection after one answer, and answers one request at a time",),
    "gthread": ("gunicorn's gthread worker answers as many requests at a time as it has threads",),
    "tornado": (
        "gunicorn's tornado worker answers one request at a time",
        "gunicorn's tornado worker sends no Date header, and a length with every answer, collecting one that has none",
        "gunicorn's tornado worker closes a connection after an hour without a request",
    ),
}
STREAMS = "gunicorn takes 100 streams at once on a connection, not 128, whatever --http2-max-concurrent-streams says"
CLEARTEXT = "gunicorn speaks HTTP/2 in the clear with 127.0.0.1 alone, unless --forwarded-allow-ips names other addresses"
HTTP2_DIFFERENCES = {
    "asgi": (STREAMS, "gunicorn's asgi worker sends neither a Server nor a Date header over HTTP/2"),
    "gthread": (
        STREAMS,
        "gunicorn's gthread worker answers the streams of a connection one after the other",
        "gunicorn's gthread worker gives a connection of HTTP/2 a thread until it closes: those beyond the threads wait",
    ),
    "uvicorn": ("uvicorn closes a connection of HTTP/2 after 4096 requests, to guard against floods",),
    "gevent": (STREAMS, "gunicorn's gevent worker answers the streams of a connection one after the other"),
}

# As many as the matrix has connections unless it says otherwise: with fewer, connections of HTTP/2 would get no answer.
THREADS = "64"

# Two masters share the control socket's default path, and the file lives in the user's home.
COMMON = ("--no-control-socket", "--log-level", "warning")

# By default a worker holds 1000 connections; no other server has such a limit.
NO_LIMIT = ("--worker-connections", "65536")

WORKER = """\
from uvicorn_worker import UvicornWorker


class CellWorker(UvicornWorker):
    CONFIG_KWARGS = {{"loop": "{loop}", "http": "{http}", "http2": {http2}, "proxy_headers": False{more}}}
"""

# The options that have another name in a file of settings.
RENAMED = {"keep_alive": "keepalive", "log_level": "loglevel", "access_logfile": "accesslog"}
RENAMED |= {"log_config_json": "logconfig_json", "no_control_socket": "control_socket_disable"}

# Tornado does not write to gunicorn's access log but to a logger of its own.
TORNADO_LOG = """\
{"root": {"level": "WARNING", "handlers": ["console"]},
 "loggers": {"tornado.access": {"level": "INFO", "handlers": ["console"], "propagate": false}}}
"""


def argv(launch: Launch) -> list[str]:
    """Build the command line; everything whose default might differ from another server's is said."""
    return [
        *(launch.python, "-m", "gunicorn", launch.called, *worker(launch)),
        *("--bind", f"{launch.host}:{launch.port}", "--workers", str(launch.workers)),
        *("--backlog", str(launch.backlog), "--keep-alive", str(launch.keep_alive_s)),
        *("--graceful-timeout", str(launch.graceful_s)),
        *(("--certfile", launch.certificate, "--keyfile", launch.key) if launch.encrypted else ()),
        *(http2(launch) if launch.http2 and launch.options["worker"] != "uvicorn" else ()),
        *(("--access-logfile", "-") if launch.access_log else ()),
        *(("--log-config-json", f"{launch.folder}/cell_logging.json") if tornado_log(launch) else ()),
        *COMMON,
    ]


def worker(launch: Launch) -> tuple[str, ...]:
    """Choose the worker class; the generated one is found because the work folder is put on the module path."""
    options = launch.options
    match options["worker"]:
        case "uvicorn":
            return ("--worker-class", "cell_worker.CellWorker", "--pythonpath", launch.folder)
        case "asgi":
            parser = options.get("parser", "python")
            lifespan = () if launch.lifespan == "auto" else ("--asgi-lifespan", launch.lifespan)
            return ("--worker-class", "asgi", "--asgi-loop", options.get("loop", "uvloop"), "--http-parser", parser, *lifespan)
        case "gthread":
            return ("--worker-class", "gthread", "--threads", options["threads"], *NO_LIMIT)
        case "gevent":
            return ("--worker-class", "gevent", *NO_LIMIT)
        case other:
            return ("--worker-class", other)


def http2(launch: Launch) -> tuple[str, ...]:
    """Ask for HTTP/2; uvicorn's worker does not read these, for which gunicorn would want a package it does not use."""
    cleartext = () if launch.encrypted else ("--http2-cleartext", "prior-knowledge")
    return ("--http-protocols", "h2", *cleartext, "--http2-max-concurrent-streams", "128")


def tornado_log(launch: Launch) -> dict[str, str]:
    """Write what tornado's worker needs for an access log."""
    return {"cell_logging.json": TORNADO_LOG} if launch.options["worker"] == "tornado" and launch.access_log else {}


def files(launch: Launch) -> dict[str, str]:
    """Write what has no command line: the loop and the parser of uvicorn's worker, and the access log of tornado's."""
    options = launch.options
    if options["worker"] != "uvicorn":
        return tornado_log(launch)
    loop = LOOPS[options.get("loop", "uvloop")][0]
    parser = options.get("http", "zttp" if launch.http2 else "httptools")
    more = "" if launch.lifespan == "auto" else f', "lifespan": "{launch.lifespan}"'
    return {"cell_worker.py": WORKER.format(loop=loop, http=parser, http2=launch.http2, more=more)}


def settings(launch: Launch) -> dict[str, str]:
    """Write the command line as a file of settings, in which the class of a worker can stand as it is."""
    words, texts = argv(launch)[4:], [f"{text}\n\n" for name, text in files(launch).items() if name == "cell_worker.py"]
    for word, value in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--") and word != "--pythonpath":
            name = word[2:].replace("-", "_")
            texts.append(f"{RENAMED.get(name, name)} = {literal(value)}\n")
    return {"gunicorn.conf.py": "".join(texts), **tornado_log(launch)}


def literal(value: str) -> str:
    """Write a word of the command line in Python; an option that another one follows is a switch."""
    if value.startswith("--"):
        return "True"
    return "CellWorker" if value == "cell_worker.CellWorker" else value if value.isdigit() else json.dumps(value)


def settings_argv(launch: Launch) -> tuple[str, ...]:
    """Build the command line that uses the file."""
    return (launch.python, "-m", "gunicorn", "--config", "gunicorn.conf.py", launch.called)


def needs(launch: Launch) -> tuple[str, ...]:
    """Name the packages of this protocol, worker, loop and parser."""
    options = launch.options
    http2 = (*(("gunicorn>=26.2",) if launch.protocol == "h2c" else ()), *(("h2>=4.1",) if launch.http2 else ()))
    return (
        *(of_uvicorn(launch) if options["worker"] == "uvicorn" else http2),
        *PACKAGES.get(options["worker"], ()),
        *(("gunicorn_h1c>=0.6.9",) if options.get("parser") == "fast" else ()),
        *(() if options.get("loop", "asyncio") == "asyncio" else (options["loop"],)),
    )


def of_uvicorn(launch: Launch) -> tuple[str, ...]:
    """Name the packages of uvicorn's worker and its parser."""
    parser = launch.options.get("http", "httptools")
    uvicorn = "uvicorn>=0.53" if launch.http2 else "uvicorn>=0.52" if parser == "zttp" else "uvicorn>=0.36"
    return ("uvicorn-worker>=0.3", uvicorn, parser)


def objection(launch: Launch) -> str | None:
    """Refuse what cannot run, saying what happens when it is tried."""
    name, wanted = launch.options["worker"], launch.options["interface"]
    if launch.http2 and name in WITHOUT_HTTP2:
        return f"gunicorn's {name} worker has no HTTP/2 and answers in HTTP/1.1"
    spoken = "asgi" if name in ASGI_WORKERS else "wsgi"
    if wanted != spoken:
        happens = "never answers" if name == "tornado" else "answers 500"
        return f"gunicorn's {name} worker runs {spoken.upper()} apps alone: with one for {wanted.upper()} it {happens}"
    if launch.lifespan == "on" and wanted == "wsgi":
        return "WSGI has no lifespan, which is to be on"
    if name == "asgi" and launch.options["loop"] == "rloop":
        return "gunicorn's asgi worker runs on asyncio and uvloop alone: asked for rloop, gunicorn does not start"
    return objection_of_uvicorn(launch) if name == "uvicorn" else None


def objection_of_uvicorn(launch: Launch) -> str | None:
    """Refuse what uvicorn cannot run; gunicorn does not stop starting workers that end."""
    loop, parser = launch.options["loop"], launch.options["http"]
    if launch.http2 and parser != "zttp":
        return f"uvicorn speaks HTTP/2 with zttp alone: asked for it with {parser}, its workers end again and again"
    if launch.encrypted and loop == "rloop":
        return "rloop has no TLS, without which uvicorn's workers end again and again"
    return "uvicorn's cleartext HTTP/2 never answers on rloop" if launch.http2 and loop == "rloop" else None


def proof(launch: Launch) -> dict[str, str]:
    """Say what the witness must find; for WSGI the class behind `start_response`."""
    options, name = launch.options, launch.options["worker"]
    if name in WSGI_WORKERS:
        response = "gunicorn.http2.response.HTTP2Response" if launch.http2 else "gunicorn.http.wsgi.Response"
        return {"loop": WSGI_WORKERS[name], "http": "tornado.wsgi.WSGIContainer." if name == "tornado" else response}
    loop = LOOPS[options.get("loop", "uvloop")][1]
    if name == "asgi":
        return {"loop": loop, "http": f"gunicorn.asgi.protocol.ASGIProtocol._handle_http{'2' if launch.http2 else ''}_request"}
    return {"loop": loop, "http": ZTTP_HTTP2 if launch.http2 else PARSERS[options.get("http", "httptools")]}


def unequal(launch: Launch) -> tuple[str, ...]:
    """List what cannot be set as on the other servers."""
    name = launch.options["worker"]
    zttp = ("uvicorn calls its parser zttp experimental",) if launch.options.get("http") == "zttp" else ()
    clear = (CLEARTEXT,) if launch.protocol == "h2c" and name != "uvicorn" else ()
    return (*DIFFERENCES.get(name, ()), *(HTTP2_DIFFERENCES.get(name, ()) if launch.http2 else ()), *clear, *zttp)


SERVER = Server(
    requires=("gunicorn>=25.1",),
    options={
        "interface": Choice(values=("asgi", "wsgi"), default="asgi", in_id=False),
        "worker": Choice(values=(*ASGI_WORKERS, *WSGI_WORKERS), default="asgi"),
        "loop": Choice(values=tuple(LOOPS), default="uvloop", when={"interface": ("asgi",), "worker": ASGI_WORKERS}),
        "http": Choice(values=tuple(PARSERS), default="httptools", when={"interface": ("asgi",), "worker": ("uvicorn",)}),
        "parser": Choice(values=("python", "fast"), default="python", when=WITH_PARSER, in_id=False),
        "threads": Count(default=THREADS, when={"worker": ("gthread",)}),
        "access_log": ACCESS_LOG,
    },
    protocols=("h1", "h1s", "h2c", "h2"),
    argv=argv,
    files=files,
    needs=needs,
    objection=objection,
    proof=proof,
    interface=lambda launch: launch.options["interface"],
    unequal=unequal,
    settings=settings,
    settings_argv=settings_argv,
)
