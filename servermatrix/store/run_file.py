"""The run file: written record by record, read back whole or as far as it goes."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from servermatrix.errors import NothingSelected, StoredRunUnreadable
from servermatrix.model import Attempt, Ceiling, Decision, Failed, Measured, Pace, Proof, Run, RunHeader, Sample, Skipped
from servermatrix.store.codec import Record, Resumed, decode, encode
from servermatrix.store.folder import refused, sync_folder, write_all

RUN_FILE = "run.jsonl"
LATEST = "latest"


def new_run_id(now: datetime, entropy: str) -> str:
    """Name a run by its start in UTC, `2026-11-22T15-30-00Z-1a2b`: names sort by time, `entropy` tells the same second apart."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}-{entropy}"


class RunWriter:
    """An open run file: each record is on the disk before `append` returns."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        """Take over the descriptor of a run file that is open for appending and ends in a whole line."""
        self.folder = folder
        self._descriptor = descriptor

    def append(self, record: Record) -> None:
        """Store one more record; raises Unfit when the system refuses, and what was stored before stays readable."""
        whole = os.fstat(self._descriptor).st_size
        try:
            write_all(self._descriptor, encode(record).encode() + b"\n")
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, whole)
            raise refused("write to", self.folder / RUN_FILE, error) from error

    def close(self) -> None:
        """Give the file back; nothing is pending."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_run(out: Path, header: RunHeader) -> RunWriter:
    """Make the folder of a new run and store its header; raises Unfit when the folder cannot be made or is there already."""
    folder = out / header.id
    try:
        folder.mkdir(parents=True)
        descriptor = os.open(folder / RUN_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        sync_folder(out)
    except OSError as error:
        raise refused("make the run folder", folder, error) from error
    writer = RunWriter(folder, descriptor)
    try:
        writer.append(header)
    except BaseException:
        # A folder without a header would be found as the latest run, and could not be read.
        writer.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    sync_folder(folder)
    return writer


def reopen_run(folder: Path) -> RunWriter:
    """Open a stored run to go on with it; a last line that a crash tore is cut off first. Raises Unfit."""
    path = folder / RUN_FILE
    try:
        data = path.read_bytes()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise refused("go on with", path, error) from error
    try:
        whole = _whole_lines(data)
        os.ftruncate(descriptor, min(len(data), len(whole)))
        write_all(descriptor, whole[len(data) :])
    except OSError as error:
        os.close(descriptor)
        raise refused("go on with", path, error) from error
    return RunWriter(folder, descriptor)


def _whole_lines(data: bytes) -> bytes:
    body = data.rstrip(b"\n")
    last = body.rfind(b"\n") + 1
    return body + b"\n" if _readable(body[last:]) else body[:last]


def _readable(line: bytes) -> bool:
    try:
        decode(line)
    except ValueError:
        return False
    return True


def read_run(path: Path) -> Run:
    """Read a run folder or a run file; the first sample of a cell and round counts, a torn last line does not.

    Raises StoredRunUnreadable for a missing header, a newer schema, or damage before the last line.
    """
    file = path / RUN_FILE if path.is_dir() else path
    try:
        with file.open("rb") as lines, _collector_paused():
            records = list(_records(file, lines))
    except OSError as error:
        raise StoredRunUnreadable(f"{file}: cannot be read: {error.strerror}", tip="Is it the folder of a run?") from error
    if not records or not isinstance(records[0], RunHeader):
        raise StoredRunUnreadable(f"{file}: the header is missing, so this is no run", tip="A run file begins with its header.")
    if any(isinstance(record, RunHeader) for record in records[1:]):
        raise StoredRunUnreadable(f"{file}: there is a second header", tip="These are two runs in one file: take them apart.")
    return assemble(records[0], records[1:])


@contextmanager
def _collector_paused() -> Iterator[None]:
    # Records hold no cycles, and looking for some among a million new values doubles the time of reading.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _records(file: Path, lines: BinaryIO) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        try:
            yield decode(line)
        except ValueError as error:
            if lines.read().strip(b"\n"):
                raise _damaged(file, number, error) from error
        except StoredRunUnreadable as error:
            raise StoredRunUnreadable(f"{file}: {error.message}", tip=error.tip) from error


def _damaged(file: Path, number: int, error: ValueError) -> StoredRunUnreadable:
    return StoredRunUnreadable(
        f"{file}: line {number} is damaged: {error}",
        tip=f"The lines before it are a valid, shorter run: head -n {number - 1} into another file reads them.",
    )


def assemble(header: RunHeader, records: Iterable[Record]) -> Run:
    """Put a run together from its records.

    The first sample of a cell and round counts, the first decision of a look, and the first attempt of a number.
    """
    samples: dict[tuple[str, int], Sample] = {}
    proofs: dict[Proof, None] = {}
    ceilings: dict[tuple[str, str, int], Ceiling] = {}
    paces: dict[str, Pace] = {}
    decisions: dict[int, Decision] = {}
    attempts: dict[int, Attempt] = {}
    for record in records:
        match record:
            case Measured() | Failed() | Skipped():
                samples.setdefault((record.cell_id, record.round), record)
            case Proof():
                proofs.setdefault(record)
            case Ceiling():
                ceilings.setdefault((record.generator, record.protocol, record.threads), record)
            case Pace():
                paces.setdefault(record.cell_id, record)
            case Decision():
                decisions.setdefault(record.round, record)
            case Attempt():
                attempts.setdefault(record.number, record)
            case RunHeader() | Resumed():
                pass
    return Run(
        header=header,
        proofs=tuple(proofs),
        samples=tuple(samples.values()),
        ceilings=tuple(ceilings.values()),
        paces=tuple(paces.values()),
        decisions=tuple(decisions.values()),
        attempts=tuple(attempts.values()),
    )


def find_run(name: str, out: Path) -> Path:
    """Find a stored run by `latest`, its id, its folder or its file; raises NothingSelected.

    The folder is returned, and the file itself where it has another name than a run file in its folder.
    """
    if name == LATEST:
        folders = _run_folders(out)
        if folders:
            return folders[-1]
        raise NothingSelected(f"{out}: no run is stored here", tip="Make one with: python3 run_matrix.py run")
    for folder in (out / name, Path(name)):
        if os.path.isfile(folder / RUN_FILE):  # noqa: PTH113 - Path.is_file raises for a name that is too long
            return folder
    if os.path.isfile(name):  # noqa: PTH113 - as above
        return Path(name).parent if Path(name).name == RUN_FILE else Path(name)
    raise NothingSelected(f"{name}: no stored run has this name in {out}, and there is no such file", tip=_stored_names(out))


def _run_folders(out: Path) -> list[Path]:
    return sorted((file.parent for file in out.glob(f"*/{RUN_FILE}")), key=_age)


def _age(folder: Path) -> tuple[bool, str, int]:
    # A folder that somebody renamed has no date in its name: it is never the latest while another is there. Names of the same
    # second differ by chance alone: the file that was written to last is then the later run.
    try:
        written_ns = (folder / RUN_FILE).stat().st_mtime_ns
    except OSError:
        written_ns = 0
    return folder.name[:1].isdigit(), folder.name[: len("2026-11-22T15-30-00Z")], written_ns


def _stored_names(out: Path) -> str:
    names = [folder.name for folder in _run_folders(out)]
    if not names:
        return "No run is stored there yet; make one with: python3 run_matrix.py run"
    return f"Newest of the {len(names)} stored: {', '.join(names[:-4:-1])}; `latest` names the newest."
