"""A watcher process that ends the servers when the tool itself is killed; it runs alone and imports nothing of ours.

It reads `+SID` and `-SID` lines on standard input. When the input ends, for whatever reason, every session that is still
listed is killed. A death signal on the server's parent alone would leave its workers behind.
"""

import os
import signal
import sys
from collections.abc import Iterable


def sessions_left(lines: Iterable[str]) -> set[int]:
    """Follow the lines to the end of the input and return the sessions not taken off the list."""
    left: set[int] = set()
    for line in lines:
        number = int(line[1:])
        (left.add if line[0] == "+" else left.discard)(number)
    return left


def members(session: int) -> list[int]:
    """List the processes of a session, with those that made a group of their own."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208 - pathlib costs start-up time
        try:
            if name.isdigit() and os.getsid(int(name)) == session:
                found.append(int(name))
        except OSError:
            continue
    return found


def kill(session: int) -> None:
    """Kill the session's group, then whoever is left in the session."""
    for send, number in ((os.killpg, session), *((os.kill, pid) for pid in members(session))):
        try:
            send(number, signal.SIGKILL)
        except OSError:
            continue


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    for session_left in sessions_left(sys.stdin):
        kill(session_left)
