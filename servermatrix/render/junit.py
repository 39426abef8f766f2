"""CheckReport -> JUnit XML, for the tools that show tests: a case for each cell, grouped by server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from servermatrix.model import BASELINE, CANDIDATE, CellChange, Change, CheckReport
from servermatrix.render import check_lines, check_tables
from servermatrix.render.check_lines import first_line, run_ids, server, warnings
from servermatrix.render.table import ABSENT, plain

_NAME = "servermatrix check"
# What XML 1.0 has no way to hold, not even escaped. Source: W3C, Extensible Markup Language 1.0, production 2 (Char).
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUTCOMES: Mapping[Change, str] = {
    Change.REGRESSION: "failure",
    Change.GONE: "failure",
    Change.FAILED: "error",
    Change.INCONCLUSIVE: "skipped",
}
_COUNTED = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))


def to_junit(report: CheckReport) -> str:
    """Write a check as JUnit XML: a regression is a failure, a failed cell an error, an inconclusive one skipped.

    The first case is the whole night, without which one that was cut off would look as good as one that found nothing.
    """
    outcomes = [_night(report)[0], *(_OUTCOMES.get(cell.change) for cell in report.cells)]
    counts = {"tests": str(len(outcomes)), **{plural: str(outcomes.count(tag)) for plural, tag in _COUNTED}}
    root = ET.Element("testsuites", {"name": _NAME, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _NAME, **counts, **_when(report)})
    _properties(suite, report)
    _whole_night(suite, report)
    for cell in report.cells:
        _case(suite, cell)
    ET.SubElement(suite, "system-out").text = "\n".join(map(_line, (first_line(report), *warnings(report))))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _when(report: CheckReport) -> dict[str, str]:
    started = min((header.started_at for header in report.headers), default="")
    return {"timestamp": _line(started)} if started else {}


def _properties(suite: ET.Element, report: CheckReport) -> None:
    found = [("run", run_ids(report)), ("margin", check_lines.percent(report.trial.margin))]
    for name, *versions in check_tables.packages(report):
        found += [(f"{name} of the {side}", version) for side, version in zip((BASELINE, CANDIDATE), versions, strict=True)]
    properties = ET.SubElement(suite, "properties")
    for name, value in found:
        ET.SubElement(properties, "property", {"name": _line(name), "value": _line(value)})


def _night(report: CheckReport) -> tuple[str | None, str]:
    """Say how the night itself came out, and why."""
    if trouble := check_lines.no_night(report):
        return "error", trouble
    unfit = check_lines.unfit(report)
    return ("skipped", " ".join(unfit)) if unfit else (None, "")


def _whole_night(suite: ET.Element, report: CheckReport) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": "servermatrix", "name": "the whole night"})
    outcome, message = _night(report)
    if outcome is not None:
        kind = {"type": "no verdict"} if outcome == "error" else {}
        ET.SubElement(case, outcome, {**kind, "message": _line(message)})
    ET.SubElement(case, "system-out").text = _line(first_line(report))


def _case(suite: ET.Element, cell: CellChange) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _line(server(cell)), "name": _line(cell.pair)})
    outcome, message, figures = _OUTCOMES.get(cell.change), _line(cell.sentence), _figures(cell)
    if outcome == "skipped":
        ET.SubElement(case, outcome, {"message": message})
    elif outcome is not None:
        ET.SubElement(case, outcome, {"type": cell.change.value, "message": message}).text = figures
    ET.SubElement(case, "system-out").text = "\n".join((f"{cell.change.value}: {message}", figures))


def _figures(cell: CellChange) -> str:
    """List the figures of a cell, a line each, as the page has them."""
    figures = ((figure, figure.value(cell)) for figure in check_tables.FIGURES if figure.right)
    return "\n".join(_line(f"{figure.header}: {value}") for figure, value in figures if value != ABSENT or not figure.seldom)


def _line(text: str) -> str:
    """Bring any text to one line that XML can hold."""
    return plain(_FORBIDDEN.sub("", text))
