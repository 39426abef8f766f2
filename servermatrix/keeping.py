"""What is kept of a check besides its run: a night of a history, and files for other programs; tried before, written after."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from servermatrix import store
from servermatrix.analysis.nights import night_of
from servermatrix.errors import Exit, MatrixError, Unfit, UsageProblem
from servermatrix.model import CheckReport
from servermatrix.render import bigger_is_better, junit
from servermatrix.store import history

NIGHT_BYTES = 1_000_000
PROBE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be made of a check: files, a night of a history, and which package a regression is put down to."""

    history: Path | None = None
    junit: Path | None = None
    bench_json: Path | None = None
    bisect: bool = False
    inconclusive_fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A sentence on what was made of a check, or was not; `failed` where it was wanted and the system refused it."""

    sentence: str
    failed: bool = False


def check_places(wanted: Wanted) -> None:
    """Find out before any load what cannot be written: a night is lost otherwise. Raises UsageProblem or Unfit."""
    for option, file in _files(wanted):
        _check_file(option, file)
    if wanted.history is not None:
        _check_history(wanted.history)


def nothing_kept(wanted: Wanted, why: str) -> Iterator[Kept]:
    """Say of every place that nothing was written there."""
    places = [place for place in (wanted.history, *(file for _, file in _files(wanted))) if place is not None]
    return (Kept(sentence=f"{place}: nothing was written, for {why}") for place in places)


def remembered(report: CheckReport, code: Exit, wanted: Wanted) -> Iterator[Kept]:
    """Store the night where there is a history, and say so, or why not."""
    if wanted.history is None:
        return
    folder = wanted.history
    if code is Exit.UNFIT or not report.complete:
        why = "this machine was not fit for some of it" if report.complete else "the check is not complete"
        yield Kept(sentence=f"{folder}: no night was written, for {why}")
    else:
        yield done("--history", lambda: f"history: {history.append(folder, night_of(report))}")


def exported(report: CheckReport, wanted: Wanted) -> Iterator[Kept]:
    """Write the files for other programs, and say where they are, or why they are not."""
    forms = {"--junit": junit.to_junit, "--bench-json": bigger_is_better.to_json}
    for option, file in _files(wanted):
        yield done(option, partial(_written, file, forms[option], report))


def _written(file: Path, form: Callable[[CheckReport], str], report: CheckReport) -> str:
    _make_folder(file)
    store.write_report(file.parent, file.name, form(report))
    return f"written: {file}"


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unfit(f"cannot make the folder {file.parent}: {error.strerror}", "name another file") from error


def ended(code: Exit, kept: Sequence[Kept]) -> Exit:
    """Return the exit code of a check of which this was kept: what could not be kept changes that of a good night alone."""
    return Exit.UNFIT if code is Exit.OK and any(one.failed for one in kept) else code


def done(option: str, write: Callable[[], str]) -> Kept:
    """Write something; that it cannot be is no reason to lose the verdict."""
    try:
        return Kept(sentence=write())
    except MatrixError as failure:
        return Kept(sentence=f"error: {option}: {failure.message}", failed=True)


def _files(wanted: Wanted) -> Iterator[tuple[str, Path]]:
    for option, file in (("--junit", wanted.junit), ("--bench-json", wanted.bench_json)):
        if file is not None:
            yield option, file


def _check_file(option: str, file: Path) -> None:
    """Write a file beside the one that is wanted, as the real one will be, and take it away again."""
    try:
        _make_folder(file)
    except Unfit as failure:
        raise Unfit(f"{option}: {failure.message}", f"{failure.tip}; nothing was measured") from failure
    # Anything else of that name, such as /dev/null, would be replaced by a file.
    if file.exists() and not file.is_file():
        raise UsageProblem(f"{option}: {file} cannot be written: it is no file", "name a file")
    probe = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
    except OSError as error:
        raise Unfit(f"{option}: {file} cannot be written: {error.strerror}", "name another file; nothing was measured") from error
    finally:
        with suppress(OSError):
            probe.unlink()


def _check_history(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageProblem(f"--history: {folder} is a file, and a history is a folder", "name a folder, which may be a new one")
    try:
        store.check_room(folder, NIGHT_BYTES)
    except Unfit as failure:
        raise Unfit(f"--history: {failure.message}", "name another folder; nothing was measured") from failure
