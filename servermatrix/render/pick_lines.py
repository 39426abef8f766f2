"""A search for settings in words: its cells by name, what each costs beside the picked one, what became of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite, nan
from textwrap import shorten

from servermatrix.analysis.phrases import joined
from servermatrix.model import CPU, LATENCY, MEMORY, THROUGHPUT, Candidate, Deployed, Held, PickReport, Standing
from servermatrix.render.machine import PROGRAM
from servermatrix.render.points import Point, ended
from servermatrix.render.table import ABSENT, amount, counted, plain, shell_line

PREFERRED: Mapping[str, str] = {
    THROUGHPUT: "requests/s",
    LATENCY: "the 99th percentile of latency",
    MEMORY: "memory",
    CPU: "CPU time per request",
}
_MOST_SIGNS = 240
MOST_NAMES = 3
_MIB = 2**20
_APP_DIR = "--app-dir"


def name(one: Candidate, report: PickReport) -> str:
    """Name a cell by what is started, and by all of its id where another cell starts the same."""
    cell = one.summary.planned.cell
    alike = Counter(each.summary.planned.cell.start for each in report.candidates)
    return cell.id if alike[cell.start] > 1 else cell.start


def recommended(report: PickReport) -> tuple[Candidate, ...]:
    """List the picked cell, those tied with it and those not told apart from it; nothing where none is picked."""
    standings = (Standing.PICKED, Standing.TIED, Standing.OPEN) if report.picked else ()
    return tuple(one for standing in standings for one in report.of(standing))


def beside(report: PickReport) -> str:
    """Count the cells that might stand in place of the picked one."""
    found = ((report.of(Standing.TIED), "tied with it"), (report.of(Standing.OPEN), "not told apart from it yet"))
    told = [f"{counted(len(cells), 'cell')} {what}" for cells, what in found if cells]
    return joined(told) or "no cell is tied with it"


def reached(report: PickReport) -> tuple[Candidate, ...]:
    """List the cells that have numbers, those that came closest first."""
    return tuple(filter(measured, report.candidates))


def measured(one: Candidate) -> bool:
    """Tell whether a cell has numbers."""
    return one.summary.rps is not None


def per_s(rate: float) -> str:
    """Write a rate, in requests per second, so that three digits tell: none that was held is written as 0."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"  # noqa: PLR2004 - three digits


def bracket(held: Held | None) -> str:
    """Write between which rates the highest one lies that a cell held, in requests per second."""
    if held is None:
        return ABSENT
    if not held.low_per_s:
        return f"none, not even {per_s(held.high_per_s)}" if held.high_per_s else "none"
    return f"{per_s(held.low_per_s)}-{per_s(held.high_per_s)}" if held.high_per_s else f"{per_s(held.low_per_s)} or more"


def more_cpu(one: Candidate, picked: Candidate | None) -> str:
    """Write how much more CPU time per request a cell takes than the picked one."""
    found, other = one.summary.cpu_us_per_request, picked.summary.cpu_us_per_request if picked else None
    ratio = found.value / other.value if found and other and other.value else nan
    return _signed(100 * (ratio - 1), 0, " %") if isfinite(ratio) else ABSENT


def more_memory(one: Candidate, picked: Candidate | None) -> str:
    """Write how much more memory a cell takes than the picked one, in MiB."""
    found, other = one.summary.pss_bytes, picked.summary.pss_bytes if picked else None
    return ABSENT if found is None or other is None else _signed((found - other) / _MIB, 1, "")


def _signed(value: float, digits: int, unit: str) -> str:
    rounded = round(value, digits)
    return f"{rounded:+,.{digits}f}{unit}" if rounded else f"0{unit}"


def goes_on(report: PickReport) -> list[str]:
    """Say how a search that was cut off goes on, where no warning says so already."""
    if report.complete or any("--resume" in warning for warning in report.warnings):
        return []
    done, planned = report.steps
    command = shell_line((*PROGRAM, "pick", "--resume", report.header.id))
    return [f"INCOMPLETE: {amount(done)} of {counted(planned, 'step')}; go on with: {command}"]


def warnings(report: PickReport) -> list[str]:
    """Say what makes the rest worth less."""
    return [*report.warnings, *goes_on(report)]


def command(report: PickReport) -> str:
    """Write the command that starts the picked cell; empty where there is none."""
    return shell_line(report.deployed.argv) if report.deployed else ""


def deploy_folder(report: PickReport, where: str = "") -> str:
    """Name the folder with the files to deploy; `where` is that of the run, else it is told by its id."""
    return f"{where.rstrip('/') or report.header.id}/deploy"


def needs(report: PickReport, where: str = "") -> str:
    """Say where the command is to be run, which files it needs there and which variables; empty where there is no command."""
    if report.deployed is None:
        return ""
    files, names = _needed(report.deployed), report.deployed.env
    folder = _app_folder(report.header.argv)
    told = (
        f"Run it in the folder of the app{f', {folder}' if folder else ''}.",
        f"It needs {joined(files)} from {deploy_folder(report, where)} in the folder of the app." if files else "",
        f"It needs {joined(names)} in its environment." if names else "",
    )
    return " ".join(filter(None, told))


def _needed(found: Deployed) -> list[str]:
    """List the files that the command names, as such or, in `python:hypercorn_config`, as a module."""
    parts = [re.split("[/:=]", word) for word in found.argv]
    named = {part[-1] for part in parts} | {f"{part[-1]}.py" for part in parts if len(part) > 1}
    return [name for name, _, _ in found.files if name in named]


def _app_folder(argv: Sequence[str]) -> str:
    """Return what --app-dir was given, empty where it was the folder that the search was begun in."""
    glued = f"{_APP_DIR}="
    given = [word.removeprefix(glued) for word in argv if word.startswith(glued)]
    given += [word for option, word in pairwise(argv) if option == _APP_DIR]
    return given[-1] if given and given[-1].rstrip("/") not in {"", "."} else ""


def by_reason(cells: Sequence[Candidate], report: PickReport, most_names: int | None = None) -> list[str]:
    """Say what became of cells and why, those of one reason together, of which `most_names` are named."""
    found: dict[str, list[str]] = {}
    for one in cells:
        found.setdefault(one.reason or one.summary.reason, []).append(name(one, report))
    return [f"{_few(names, most_names)}: {ended(reason)}" for reason, names in found.items()]


def _few(names: Sequence[str], most: int | None) -> str:
    more = 0 if most is None else len(names) - most
    return joined(names) if more <= 1 else joined([*names[:most], f"{amount(more)} more"])


def best_by_server(cells: Sequence[Candidate]) -> list[Candidate]:
    """Keep the best cell of each server, which is the first."""
    return list({one.summary.planned.cell.server: one for one in reversed(cells)}.values())[::-1]


def others(report: PickReport, shown: Sequence[Candidate]) -> Iterator[str]:
    """Say in a line each what became of the cells that no table shows."""
    for standing in (Standing.BEATEN, Standing.OVER_LIMIT, Standing.OPEN):
        if cells := [one for one in report.of(standing) if one not in shown]:
            yield f"{standing.capitalize()}: {counted(len(cells), 'cell')}; the best of them: {brief(_why(cells[0], report))}"
    if failed := report.of(Standing.FAILED):
        reasons = by_reason(failed, report, MOST_NAMES)
        more = f" {counted(len(reasons) - 1, 'more reason')} in report.md." if len(reasons) > 1 else ""
        yield f"Failed: {counted(len(failed), 'cell')}; {brief(reasons[0])}{more}"


def _why(one: Candidate, report: PickReport) -> str:
    return f"{name(one, report)}: {ended(one.reason)}"


def sentence(text: str) -> str:
    """Begin and end a text as a sentence does, for those that may also stand after a name; empty stays empty."""
    first = text.split(" ", maxsplit=1)[0]
    return ended(f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text)


def brief(text: str) -> str:
    """Cut a text of any length, as it may come from a log, to a line or two of a terminal."""
    return shorten(plain(text), _MOST_SIGNS, placeholder=" ...")


def told(cells: Sequence[Candidate], report: PickReport) -> tuple[Point, ...]:
    """Say of each cell why it stands where it does."""
    return tuple(Point(text=_why(one, report)) for one in cells)
