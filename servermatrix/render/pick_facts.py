"""How a search was made, how it is made again and how it is read: its app, its run and machine, its command line, its rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from servermatrix.analysis.phrases import joined
from servermatrix.model import CPU, MEMORY, App, Decision, PickReport, Request, RunHeader
from servermatrix.render import machine, notes, pick_lines
from servermatrix.render.machine import PROGRAM
from servermatrix.render.pick_tables import HOLDS, THERE, beside_picked
from servermatrix.render.progress import human_seconds
from servermatrix.render.table import Column, Grid, amount, percent, shell_line
from servermatrix.secret_headers import HIDDEN, is_secret

# What of a command line went on with a search or showed it, and did not make it what it was.
_WITH_VALUE = ("--seed", "--resume", "--out")
_GLUED = tuple(f"{option}=" for option in _WITH_VALUE)
_ALONE = ("--json", "-q", "--quiet", "-v", "--verbose")
_FORGOTTEN = {"=...": "--env", ": ...": "secret headers"}
_MOST_REQUESTS = 6


def facts(report: PickReport) -> Grid:
    """Lay out how a search was made."""
    header, (done, planned) = report.header, report.steps
    found = {
        "run": header.id,
        "started": header.started_at,
        "command": shell_line((*PROGRAM, *header.argv)),
        **_asked(report),
        "preferred": pick_lines.PREFERRED.get(report.race.prefer, report.race.prefer),
        "limits": joined([limit.text for limit in report.race.limits]) or "none",
        "cores for the server": amount(report.race.cores) if report.race.cores else "all",
        "budget": human_seconds(header.budget_s) if header.budget_s else "none",
        "rounds": f"{amount(header.rounds)} at most; looked at after {_looks(header)}",
        "steps": f"{amount(done)} of {amount(planned)}",
        "seed": str(header.seed),
        "generator": notes.generators(header),
        **machine.of_host(header),
        "versions": machine.versions(header),
        "git": header.git,
        "noise allowed": notes.noise(header),
    }
    return Grid(columns=(Column(header="what"), Column(header="value")), rows=tuple(found.items()))


def _looks(header: RunHeader) -> str:
    return joined([amount(look.round) for look in header.looks]) or "all of them"


def _asked(report: PickReport) -> dict[str, str]:
    """Say what was started and what was asked of it; nothing of the apps that others were compared with."""
    apps = _apps(report)
    return {} if not apps else {"app": _app(apps[0]), "requests": _requests(apps[0])}


def _apps(report: PickReport) -> list[App]:
    names = {one.summary.planned.cell.app for one in report.candidates}
    return [app for app in report.header.apps if app.name in names]


def _app(app: App) -> str:
    kind = "made by " if app.factory else ""
    lifespan = f", lifespan {app.lifespan}" if app.lifespan != "auto" else ""
    names = f", with {joined([name for name, _ in app.env])} in its environment" if app.env else ""
    return f"{kind}{app.target}{lifespan}{names}"


def _requests(app: App) -> str:
    asked = app.asked
    told = [f"{each.request.method} {each.request.path}" for each in asked]
    if len(asked) == 1:
        return told[0]
    whole = sum(each.weight for each in asked)
    parts = [f"{text} ({each.weight} of {whole})" for text, each in zip(told, asked, strict=True)]
    more = len(parts) - _MOST_REQUESTS
    return joined(parts if more <= 1 else [*parts[:_MOST_REQUESTS], f"{amount(more)} more"])


def again(header: RunHeader) -> str:
    """Write the command line that makes a search again."""
    argv = header.argv[header.argv[:1] == ("pick",) :]
    return shell_line((*PROGRAM, "pick", *_kept(argv), "--seed", str(header.seed)))


def _kept(argv: Sequence[str]) -> Iterator[str]:
    words = iter(argv)
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif word not in _ALONE and not word.startswith(_GLUED):
            yield word


def left_out(header: RunHeader) -> str:
    """Say that values of the environment are to be filled in again; empty where there are none."""
    hidden = [what for end, what in _FORGOTTEN.items() if any(word.endswith(end) for word in header.argv)]
    return f"Values of {joined(hidden)} are not shown: put them where the three dots stand." if hidden else ""


def asked(report: PickReport) -> Grid:
    """Lay out each request of the load with how often it was sent; of headers that let somebody in the names alone."""
    found = [each for app in _apps(report)[:1] for each in app.asked]
    whole = sum(each.weight for each in found)
    columns = (Column(header="request"), Column(header="weight", right=True), Column(header="share", right=True))
    given = any(each.request.headers for each in found)
    rows = (
        (
            f"{each.request.method} {each.request.path}",
            amount(each.weight),
            percent(each.weight / whole),
            *([_headers(each.request)] if given else []),
        )
        for each in found
    )
    return Grid(columns=(*columns, *([Column(header="headers")] if given else [])), rows=tuple(rows))


def _headers(request: Request) -> str:
    told = (f"{name}: {HIDDEN if is_secret(name) else value}" for name, value in request.headers)
    return "; ".join(told) or "none"


def decided(found: Sequence[Decision]) -> Grid:
    """Lay out what was decided at each look."""
    headers = (Column(header="after round", right=True), Column(header="left out from then on"), Column(header="why"))
    return Grid(columns=headers, rows=tuple(row for one in found for row in _decided(one)))


def _decided(one: Decision) -> Iterator[tuple[str, str, str]]:
    after = amount(one.round)
    yield from ((after, cell_id, reason) for cell_id, reason in one.dropped)
    if one.stopped:
        yield after, "all", one.stopped
    elif not one.dropped:
        yield after, "none", "no cell was surely worse"


def judged(report: PickReport) -> list[str]:
    """Say how each limit was judged."""
    race = report.race
    told = [_LIMITS[limit.metric] for limit in race.limits if limit.metric in _LIMITS]
    texts = joined([limit.text for limit in race.latency_limits])
    if texts and race.rate_per_s:
        told.append(f"{texts}: judged in an open loop at {pick_lines.per_s(race.rate_per_s)} requests/s. {_UNANSWERED}")
    elif texts:
        told.append(
            f"{texts}: judged in an open loop, at the highest rate that keeps it; the bracket is in the table. {_UNANSWERED}"
        )
    return told


_UNANSWERED = "A request without an answer counts as over the limit."
_HELD = (
    f"{HOLDS}: between which rates the highest one lies that it held, in an open loop; {THERE}: the latency that is limited, or "
    "the 99th percentile, at the lower of them, in milliseconds."
)
_LIMITS = {
    "errors": "Errors: a wrong answer fails a start, and a cell whose starts fail is left out.",
    "memory": "Memory: the proportional set size of all processes of the server, under load.",
}


def _against(report: PickReport, preferred: str) -> str:
    if report.race.prefer in {MEMORY, CPU}:
        return f"how much more {preferred} it takes; below 0 is less"
    return f"how much better it is in what is preferred, {preferred}; below 0 is worse"


def rules(report: PickReport) -> list[str]:
    """Say how a search is read, a sentence or two each."""
    preferred = pick_lines.PREFERRED.get(report.race.prefer, report.race.prefer)
    loads = sorted({one.summary.planned.cell.load.in_flight for one in report.candidates})
    flying = joined([amount(each) for each in loads])
    return [
        (
            "In every round each cell that was left was started once, in random order, on one machine. Figures are "
            "Hodges-Lehmann estimates over the rounds with intervals of 95 %; what was surely worse at a look was left out then."
        ),
        (
            "tied: this run cannot tell it from the best. Of those the cheapest is picked: the fewest workers, then the least "
            "memory, then the least CPU time per request."
        ),
        f"{beside_picked(report)}: {_against(report, preferred)}, by the rounds that both have.",
        *(
            [f"p50 and p99 are those of a closed loop, with {flying} requests in flight: latency under full load."]
            if loads
            else []
        ),
        *([_HELD] if any(one.held for one in report.candidates) else []),
        "memory: the proportional set size of all processes of the server, under load.",
    ]
