"""The history: one file per night in a folder, each written once and none ever again; read as far as it can be read."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from servermatrix.errors import Unfit, UsageProblem
from servermatrix.model import Night
from servermatrix.store.codec_night import decode_night, encode_night, instant
from servermatrix.store.folder import refused, sync_folder, write_all

SUFFIX = ".json"
# What `trend --out` writes may stand beside the nights.
DERIVED = re.compile(r"trend\.md|trend-.*\.svg|README(\..*)?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_MOST_NAMED = 3


def append(folder: Path, night: Night) -> Path:
    """Store a night as `<id>.json`, whole or not at all and never over another file; the same night again changes nothing.

    Raises UsageProblem where that file is there with other content, and Unfit for what the system refuses.
    """
    if not _NAME.fullmatch(night.id):
        raise UsageProblem(f"{night.id!r} cannot be the name of a night's file", tip="Use letters, digits, points and hyphens.")
    path = folder / f"{night.id}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        created = _created(path, encode_night(night).encode())
    except OSError as error:
        raise Unfit(refused("store the night", path, error).message, tip="Mend that, or name another folder.") from error
    if not created and not _holds(path, night):
        raise UsageProblem(
            f"{path} is there already and holds something else; nothing in a history is overwritten",
            tip="Move that file away if it is not wanted, or name another folder.",
        )
    return path


def _created(path: Path, data: bytes) -> bool:
    """Make a file with its content at once; False when the name is taken."""
    new = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        _write_new(new, data)
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _created_without_links(path, data)
        finally:
            sync_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)
    return True


def _created_without_links(path: Path, data: bytes) -> bool:
    """Make a file where the file system has no links: the name is ours at once, the content a moment later."""
    try:
        _write_new(path, data)
    except FileExistsError:
        return False
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    return True


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _holds(path: Path, night: Night) -> bool:
    # Not the bytes: git may have changed the line ends.
    try:
        return decode_night(path.read_bytes()) == night
    except (OSError, ValueError):
        return False


def read(folder: Path) -> tuple[tuple[Night, ...], tuple[str, ...]]:
    """Return the nights of a folder by their time of start, and a sentence for each file that is no night of its own.

    A folder that is not there holds no night. Raises Unfit when the folder cannot be read.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name[:1] != "." and entry.is_file())
    except FileNotFoundError:
        return (), (f"{folder}: there is no such folder",)
    except OSError as error:
        raise Unfit(refused("read the history", folder, error).message, tip="Name the folder that holds the nights.") from error
    nights: dict[str, list[tuple[str, Night]]] = defaultdict(list)
    told: list[str] = []
    for name in names:
        if not name.endswith(SUFFIX):
            continue
        try:
            night = decode_night((folder / name).read_bytes())
            nights[night.id].append((name, night))
        except OSError as error:
            told.append(f"{name} is left out: it cannot be read ({error.strerror})")
        except ValueError as problem:
            told.append(f"{name} is left out: {problem}")
    told += [sentence for several in nights.values() for sentence in _duplicates(several)]
    found = sorted((_own(several) for several in nights.values()), key=lambda night: (instant(night), night.id))
    return tuple(found), (*told, *_foreign(names), *_out_of_order(found))


def _own(several: list[tuple[str, Night]]) -> Night:
    """Return the night whose file has its name, else that of the first name."""
    return next((night for name, night in several if name == night.id + SUFFIX), several[0][1])


def _duplicates(several: list[tuple[str, Night]]) -> Iterator[str]:
    own = _own(several)
    kept = next(name for name, night in several if night is own)
    for name, night in several:
        if night is not own:
            how = "the same night" if night == own else f"another night under the same id, {own.id},"
            yield f"{name} is left out: it is {how} as {kept}"


def _foreign(names: Iterable[str]) -> Iterator[str]:
    other = [name for name in names if not name.endswith(SUFFIX) and not DERIVED.fullmatch(name)]
    if other:
        more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        yield f"left alone, for a night ends in {SUFFIX}: {', '.join(other[:_MOST_NAMED])}{more}"


def _out_of_order(nights: list[Night]) -> Iterator[str]:
    back = next(((before, after) for before, after in pairwise(nights) if before.id > after.id and _apart(before, after)), None)
    if back:
        yield (
            f"the names and the times of start disagree: {back[1].id} began after {back[0].id} by its time of start, and before "
            "it by its name; a clock was changed, or a file was; the nights are taken by their times of start"
        )


def _apart(before: Night, after: Night) -> bool:
    """Tell whether two nights began at different seconds: within one, their names say nothing about their order."""
    return int(instant(before).timestamp()) != int(instant(after).timestamp())
