"""`trend`: what the nights of a history say together."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from servermatrix.analysis import trend as trends
from servermatrix.analysis.trend import LAST, began, measured, pairs_of
from servermatrix.cli.show import AS_JSON, tell
from servermatrix.errors import Exit, NothingSelected, Unfit
from servermatrix.model import Night
from servermatrix.model.trends import Trend
from servermatrix.render import trend_document, trend_markdown, trend_text
from servermatrix.store import history, write_report

_AGE = re.compile(r"(?P<number>[0-9]{1,5}(?:\.[0-9]{1,3})?) ?(?P<unit>[hd])")
_ID = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\dZ)(-.*)?")


class Age(click.ParamType[timedelta]):
    """An age such as 3d or 36h."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        found = _AGE.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is not an age such as 3d or 36h", param, ctx)
        return float(found["number"]) * timedelta(days=1 if found["unit"] == "d" else 1 / 24)


class Moment(click.ParamType[datetime]):
    """A date, a time, or the id of a night, in UTC unless it says otherwise."""

    name = "date or night"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        try:
            found = datetime.fromisoformat(_ID.sub(r"\1:\2:\3", str(value)))
        except ValueError:
            self.fail(f"{value!r} is neither a date such as 2026-11-22 nor the id of a night", param, ctx)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--last", default=LAST, type=click.IntRange(min=1), metavar="N", show_default=True, help="How many nights count.")
@click.option("--since", type=Moment(), help="Nights before it count for nothing: say it where a cell was renamed or removed.")
@click.option("-k", "keep", multiple=True, metavar="GLOB", help="Keep the cells whose id matches (* and ?); repeatable.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write trend.md and its images into this folder.")
@click.option("--max-age", type=Age(), help="Alarm when the latest night began longer ago, such as 3d or 36h.")
@AS_JSON
def trend(
    folder: Path,
    *,
    last: int,
    since: datetime | None,
    keep: tuple[str, ...],
    out: Path | None,
    max_age: timedelta | None,
    as_json: bool,
) -> None:
    """Print the last nights of a history, cell by cell, with change points.

    Exits with 1 when a cell that had figures is not in the latest night, or has had none for three nights in a row, or when the
    latest night is older than --max-age. Change points are advice: they never change the exit code. Simulated nights count only
    where all are.
    """
    now = datetime.now(UTC)
    nights, told = history.read(folder)
    chosen = _chosen(folder, nights, told, keep, since)
    found = trends.trend(chosen, last, keep=keep, now=now, max_age=max_age)
    found = replace(found, notes=(*told, *found.notes))
    for note in found.notes:
        tell(f"note: {note}")
    if out is not None:
        draw(out, found)
    _print(trend_document.to_json(found) if as_json else trend_text.to_text(found))
    sys.exit(Exit.REGRESSION if found.alarmed else Exit.OK)


def _chosen(
    folder: Path, nights: tuple[Night, ...], told: tuple[str, ...], keep: tuple[str, ...], since: datetime | None
) -> tuple[Night, ...]:
    """Return the nights that count; raises NothingSelected when none does, or none has a cell of those that were chosen."""
    if not nights:
        raise NothingSelected("; ".join((f"{folder}: there is no night here", *told)), tip="`check --history DIR` stores one.")
    chosen = tuple(night for night in nights if since is None or began(night) >= since)
    if not chosen:
        raise NothingSelected(f"{folder}: no night began since {since}", tip=f"The latest is {nights[-1].id}.")
    if not pairs_of(measured(chosen)[0], keep):
        raise NothingSelected(
            f"{folder}: no cell of these nights matches {' or '.join(keep)}", tip="`trend` without -k lists them all."
        )
    return chosen


def draw(out: Path, found: Trend) -> Path:
    """Write the page after its images, so that it never names one that is not there; return the folder. Raises Unfit."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unfit(f"cannot make {out}: {error.strerror}", tip="Name another folder.") from error
    for name, text in trend_markdown.files(found).items():
        write_report(out, name, text)
    return out


def _print(text: str) -> None:
    """Print it also where the output cannot take every sign."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)
