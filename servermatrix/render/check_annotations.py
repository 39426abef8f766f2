"""CheckReport -> annotations of GitHub: a line for each kind of outcome that somebody should look at, printed by the caller."""

from collections.abc import Iterator, Sequence

from servermatrix.analysis.phrases import counted
from servermatrix.model import CellChange, Change, CheckReport
from servermatrix.render.check_lines import warnings
from servermatrix.render.points import MOST_ITEMS, ended
from servermatrix.render.table import amount, plain

_MOST_SIGNS = 300
# GitHub shows ten of each level in a step; these are six at most, and of_history has two more.
_LEVELS = (
    (Change.REGRESSION, "error", "regressed"),
    (Change.FAILED, "error", "failed"),
    (Change.GONE, "error", "gone"),
    (Change.INCONCLUSIVE, "warning", "inconclusive"),
    (Change.NEW, "notice", "new"),
    (Change.IMPROVEMENT, "notice", "improved"),
)


def annotations(report: CheckReport) -> list[str]:
    """Write a workflow command for each kind of outcome, with the count and the first few cells; none for no change."""
    found = [_annotation(level, f"{counted(len(cells), 'cell')} {word}", cells) for level, word, cells in _kinds(report)]
    told = warnings(report)
    return [*found, *([_command("warning", "servermatrix check", " ".join(map(_short, told)))] if told else [])]


def of_history(stopped: Sequence[str], unjudged: str) -> list[str]:
    """Write what the history adds: an error for the cells that stopped reporting, a warning where nobody could look."""
    found = []
    if stopped:
        found += [_command("error", f"servermatrix check: {counted(len(stopped), 'cell')} stopped reporting", _told(stopped))]
    if unjudged:
        found += [_command("warning", "servermatrix history", _short(unjudged))]
    return found


def _kinds(report: CheckReport) -> Iterator[tuple[str, str, Sequence[CellChange]]]:
    for change, level, word in _LEVELS:
        if cells := report.of(change):
            yield level, word, cells


def _annotation(level: str, title: str, cells: Sequence[CellChange]) -> str:
    told = _told([f"{plain(cell.pair)}: {plain(cell.sentence)}" for cell in cells])
    return _command(level, f"servermatrix check: {title}", told)


def _told(sentences: Sequence[str]) -> str:
    """Write the first few, a line each, and how many more there are."""
    more = len(sentences) - MOST_ITEMS
    shown = sentences if more <= 1 else sentences[:MOST_ITEMS]
    rest = [f"And {amount(more)} more."] if more > 1 else []
    return "\n".join((*map(_short, shown), *rest))


def _short(text: str) -> str:
    line = plain(text)
    return ended(line) if len(line) <= _MOST_SIGNS else f"{line[: _MOST_SIGNS - 3]}..."


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message as GitHub's toolkit does, the sign of the escape first."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
