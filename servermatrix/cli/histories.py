"""Keeps a night for `github`: the history fetched, tonight's night added and pushed, and the trend of all of them judged."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from servermatrix import merging
from servermatrix.analysis.trend import began, trend
from servermatrix.cli.show import tell
from servermatrix.cli.trend import draw
from servermatrix.errors import MatrixError, NothingSelected
from servermatrix.keeping import Kept
from servermatrix.model.trends import Trend
from servermatrix.publish import branch
from servermatrix.publish.failure import NotPublished
from servermatrix.publish.surroundings import Surroundings, require
from servermatrix.render import check_lines
from servermatrix.store import history


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is to be told besides the summary, the annotations and the outputs; a branch is empty where nothing is pushed.

    `since` is from when on nights count for the trend, `drawn` the folder that it is drawn into.
    """

    history: Path | None
    branch: str
    issue: bool
    name: str
    since: datetime | None = None
    drawn: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was done, or what was not and why."""

    done: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What became of the history; `unjudged` says why nobody can tell which cells stopped reporting, where `trend` is None."""

    told: tuple[Told, ...] = ()
    trend: Trend | None = None
    unjudged: str = ""

    @property
    def stopped(self) -> tuple[str, ...]:
        """Say of each cell that reported before and has no figures tonight when it last had some."""
        return tuple(f"{one.pair}: {one.sentence}. {one.advice}" for one in self.trend.stopped) if self.trend else ()


def noted(one: Kept) -> Told:
    """Say on standard error what became of an export, or of one that could not be written."""
    return attempt(partial(_said, one))


def _said(one: Kept) -> str:
    if one.failed:
        raise NotPublished(one.sentence)
    return one.sentence


def attempt(step: Callable[[], str | None]) -> Told:
    """Do one thing, and say on standard error how it went; a failure is said and ends nothing."""
    try:
        told = Told(done=True, sentence=step() or "")
    except NotPublished as failure:
        told = Told(done=False, sentence=str(failure))
    except MatrixError as failure:
        told = Told(done=False, sentence=failure.message)
    if told.sentence:
        tell(told.sentence if told.done else f"warning: {told.sentence}")
    return told


def keep(night: merging.Merged, wanted: Telling, place: Surroundings) -> Past:
    """Fetch the nights that are there, add tonight's, push it, judge the trend; each as far as it can be done."""
    if (folder := wanted.history) is None:
        return Past()
    brought = attempt(lambda: _bring(wanted, place, folder)) if wanted.branch else Told(done=True, sentence="")
    files: list[Path] = []
    added = attempt(lambda: _add(night, folder, files))
    pushed = [attempt(lambda: _push(night, wanted, place, file)) for file in files if wanted.branch]  # noqa: B023 - called at once
    told = (brought, added, *pushed)
    if not (brought.done and added.done):
        why = "the earlier nights are not here" if added.done else "tonight's night is not among them"
        return Past(told=told, unjudged=f"nobody looked whether a cell stopped reporting: {why}")
    return _judged(folder, wanted, told)


def _judged(folder: Path, wanted: Telling, told: tuple[Told, ...]) -> Past:
    """Judge the trend, and draw it where that is wanted; a history that cannot be read is said."""
    try:
        found = _trend(folder, wanted.since)
    except MatrixError as failure:
        tell(f"warning: {failure.message}")
        return Past(told=told, unjudged=f"nobody looked whether a cell stopped reporting: {failure.message}")
    drawn = [attempt(lambda: f"drew the trend: {draw(place, found)}") for place in (wanted.drawn,) if place]  # noqa: B023 - as above
    return Past(told=(*told, *drawn), trend=found)


def _trend(folder: Path, since: datetime | None) -> Trend:
    nights, said = history.read(folder)
    for sentence in said:
        tell(f"note: {sentence}")
    chosen = [night for night in nights if since is None or began(night) >= since]
    if not chosen:
        raise NothingSelected("no night of the history counts: all began before --since", "name an earlier time")
    return trend(chosen, now=datetime.now(UTC))


def _bring(wanted: Telling, place: Surroundings, folder: Path) -> str:
    count = branch.bring(_remote("the history was not fetched", wanted, place), os.environ, folder)
    return f"nights fetched from the branch {wanted.branch}: {count}"


def _add(night: merging.Merged, folder: Path, files: list[Path]) -> str:
    files.append(merging.keep_night(night, folder))
    return f"added the night to the history: {files[0]}"


def _push(night: merging.Merged, wanted: Telling, place: Surroundings, file: Path) -> str:
    message = f"{check_lines.first_line(night.report)}\n\n{place.run_url}\n"
    return branch.push(_remote("the history was not pushed", wanted, place), os.environ, file, message)


def _remote(what: str, wanted: Telling, place: Surroundings) -> branch.Remote:
    require(what, server_url=place.server_url, repository=place.repository)
    address = f"{place.server_url}/{place.repository}.git"
    return branch.Remote(address=address, branch=wanted.branch, server_url=place.server_url, token=place.token)
