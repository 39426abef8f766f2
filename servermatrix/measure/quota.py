"""Reads what CPU quotas of control groups allow this process, and how long they held it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

PROC_CGROUP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def groups(membership: Path | None = None, mount: Path | None = None) -> tuple[Path, ...]:
    """List the folders of the control groups that may hold this process back: its own and all above it.

    In a container the path in `membership` may be that of the host, which is not there: then the root of the mount is its group.
    """
    found: dict[Path, None] = {}
    for controllers, path in _memberships(membership or PROC_CGROUP):
        top = (mount or MOUNT) / controllers
        for folder in (top / path, *(top / path).parents):
            if folder.is_relative_to(top) and folder.is_dir():
                found[folder] = None
    return tuple(found)


def _memberships(membership: Path) -> Iterator[tuple[str, str]]:
    """Yield controllers and path of each group that is about CPU time (cgroups(7): hierarchy-ID:controllers:path).

    Version 1 mounts each hierarchy under the names of its controllers; that of version 2 has no name.
    """
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if not controllers or "cpu" in controllers.split(","):
                yield controllers, path.lstrip("/")


def allowed_cores(folders: tuple[Path, ...]) -> float | None:
    """Return the smallest quota in cores, None where there is none (cpu.max of version 2, cpu.cfs_quota_us of version 1)."""
    quotas = [quota for folder in folders if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _quota(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period) if quota != "max" else None
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        return quota_us / int((folder / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    return None


def throttled_us(folders: tuple[Path, ...]) -> int:
    """Return how long these groups have been held back by a quota, in microseconds; 0 where there is none."""
    return sum(map(_throttled_us, folders))


def _throttled_us(folder: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        fields = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        if "throttled_usec" in fields:
            return int(fields["throttled_usec"])
        return int(fields.get("throttled_time", "0")) // 1000
    return 0
