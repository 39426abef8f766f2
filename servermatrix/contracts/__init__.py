"""What a server plug-in and a load plug-in are; a plug-in file imports this module and nothing else of ours."""

from servermatrix.contracts.loads import (
    LoadFailure,
    LoadGenerator,
    Outcome,
    Question,
    Shot,
)
from servermatrix.contracts.servers import (
    ACCESS_LOG,
    BACKLOG,
    GRACEFUL_S,
    KEEP_ALIVE_S,
    Choice,
    Count,
    Flag,
    Launch,
    Option,
    Server,
)
from servermatrix.model import Asked, LoadErrors, LoadStats, Request, Usage, Window

__all__ = [
    "ACCESS_LOG",
    "BACKLOG",
    "GRACEFUL_S",
    "KEEP_ALIVE_S",
    "Asked",
    "Choice",
    "Count",
    "Flag",
    "Launch",
    "LoadErrors",
    "LoadFailure",
    "LoadGenerator",
    "LoadStats",
    "Option",
    "Outcome",
    "Question",
    "Request",
    "Server",
    "Shot",
    "Usage",
    "Window",
]
