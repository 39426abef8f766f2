"""The reports folder: room in it, the lock on it, whole files in it; it knows no run file and renders nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from servermatrix.errors import Unfit

_MEBIBYTE = 2**20
_PROBE_BYTES = (_MEBIBYTE, 256 * _MEBIBYTE)
_TIPS = {
    errno.ENOSPC: "Make room on that disk, or choose another folder with --out DIR.",
    errno.EDQUOT: "Your quota on that disk is used up: make room, or choose another folder with --out DIR.",
    errno.EEXIST: "Something else has this name: move it away, or choose another folder with --out DIR.",
    errno.ENOTDIR: "A part of this path is a file: choose another folder with --out DIR.",
    errno.EFBIG: "The size of a file is limited here (ulimit -f): raise the limit, or choose another folder with --out DIR.",
}


def check_room(out: Path, expected_bytes: int) -> None:
    """Make the reports folder and prove that a run of this size can be written there, before any load; raises Unfit."""
    probe = out / f".probe-{os.getpid()}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _fill(descriptor, min(max(expected_bytes, _PROBE_BYTES[0]), _PROBE_BYTES[1]))
        finally:
            os.close(descriptor)
            probe.unlink()
    except OSError as error:
        raise refused("write reports into", out, error) from error


def _fill(descriptor: int, size: int) -> None:
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (AttributeError, OSError) as error:
        # Some systems and file systems cannot reserve room: there only writing tells.
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        for _ in range(size // _MEBIBYTE):
            os.write(descriptor, bytes(_MEBIBYTE))
    os.fsync(descriptor)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other runs out of a reports folder; the kernel lets go when we end, however we end. Raises Unfit."""
    import fcntl  # noqa: PLC0415 - reports are also read where there is no fcntl

    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise refused("open", out, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise _held(out) if isinstance(error, BlockingIOError) else refused("lock", out, error) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _held(out: Path) -> Unfit:
    return Unfit(
        f"another run is measuring into {out}; two runs at once would disturb each other",
        tip="Wait until it has ended, or end it with Ctrl-C: what it has measured is kept.",
    )


def write_report(folder: Path, name: str, text: str) -> None:
    """Write a report so that a reader sees the old text or the new one, never a part; raises Unfit.

    A name such as `deploy/app.service` makes the folder that it names below the other.
    """
    place = folder / name
    new = place.with_name(f".{place.name}-{os.getpid()}")
    try:
        if place.parent != folder:
            place.parent.mkdir(exist_ok=True)
        with new.open("wb") as file:
            # A lone surrogate, as the name of a file may hold, is no reason to lose a report.
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        new.replace(place)
    except OSError as error:
        raise refused("write", place, error) from error
    finally:
        with suppress(OSError):
            new.unlink()


def publish(out: Path, folder: Path) -> None:
    """Make the reports of a run the latest ones of the reports folder; raises Unfit."""
    for suffix in (".md", ".json"):
        source = folder / f"report{suffix}"
        try:
            text = source.read_text(encoding="utf-8")
        except OSError as error:
            raise refused("read", source, error) from error
        write_report(out, "latest" + suffix, text)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it and wait until the disk has it."""
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows which files a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refused(what: str, path: Path, error: OSError) -> Unfit:
    """Put what the system refused into a sentence, with what to do next."""
    said = os.strerror(error.errno) if error.errno else str(error)
    tip = _TIPS.get(error.errno or 0, "Choose a folder that you can write to with --out DIR.")
    return Unfit(f"cannot {what} {path}: the system says {said!r}", tip=tip)
