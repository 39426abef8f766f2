"""The two ways in which the built-in generator asks: as soon as there is an answer, or at a fixed rate whatever comes back."""

import contextlib
import time
from collections import deque

from runners.loads._builtin_lines import Broken, Lines
from runners.loads._builtin_poll import wait

ENOUGH_ERRORS = 1000  # the window is lost by then, and each reconnect uses up one more port
LATE_NS = 1_000_000
# Servers keep an idle connection for two seconds or more; what is closed earlier was not kept, which is an error.
KEPT_NS = 1_000_000_000
MOST_EVENTS = 16  # so that reading answers does not hold up for long what is due
# How long before a request is due the process wakes and goes round until then: waking took 8 to 30 us on a small virtual
# machine. That is CPU time taken from the server where cores are few, so it is a part of the time between requests at most.
AHEAD_NS = 20_000
AHEAD_SHARE = 0.2


def closed_loop(lines: Lines, fds: list[int], end_ns: int) -> None:
    """Ask on each connection as soon as it has its answer; Broken when no connection is to be had any more."""
    clock, poll = time.perf_counter_ns, lines.poller.poll
    for fd in fds:
        lines.ask(fd, clock())
    while (left_ns := end_ns - clock()) > 0 and lines.lost < ENOUGH_ERRORS:
        for fd, ready in poll(left_ns / 1e9, len(fds)):
            try:
                if free := lines.take(fd, ready):
                    lines.ask(free, clock())
            except Broken as broken:
                lines.ask(lines.lose(fd, broken), clock())


def wake_promptly() -> None:
    """Have the kernel end waits when they are over, not up to 50 us later (timer slack, see prctl(2)), where it can be told."""
    with contextlib.suppress(OSError), open("/proc/self/timerslack_ns", "w", encoding="ascii") as slack:  # noqa: PTH123 - small
        slack.write("1")


class OpenLoop:
    """Requests at equal intervals over whichever connection has been idle for longest; what finds none waits its turn."""

    def __init__(self, lines: Lines, fds: list[int], *, first_ns: int, step_ns: float, total: int) -> None:
        """Say when the first of how many requests is due, and how long after it the next."""
        self.lines, self.tally, self.connections = lines, lines.tally, len(fds)
        self.first_ns, self.step_ns, self.total, self.sent = first_ns, step_ns, total, 0
        self.end_ns, self.ahead_ns = first_ns + round(total * step_ns), min(AHEAD_NS, int(AHEAD_SHARE * step_ns))
        # When each idle connection could be seen to be free, the one that is idle for longest first in `idle`.
        self.idle, self.free_ns = deque(fds), dict.fromkeys(fds, 0)
        self.looked_ns = self.found_ns = first_ns

    def run(self, last_ns: int) -> None:
        """Send everything and wait for the answers, until the time given at most; Broken when no connection is to be had."""
        self.tally.due = self.total
        while (self.sent < self.total or len(self.idle) < self.connections) and self.lines.lost < ENOUGH_ERRORS:
            next_ns = self.send_due()
            if time.perf_counter_ns() >= last_ns:
                break
            for fd, ready in self.wait(min(next_ns or last_ns, last_ns)):
                self.go_on(fd, ready)
        if self.sent < self.total:
            self.tally.late += self.total - self.sent
            self.tally.sent_ns = time.perf_counter_ns()

    def send_due(self) -> int:
        """Send what is due as long as there are idle connections; return when the next is due, 0 when none can be sent."""
        while self.idle and self.sent < self.total:
            due_ns, now_ns = self.first_ns + int(self.sent * self.step_ns), time.perf_counter_ns()
            if due_ns > now_ns:
                return due_ns
            self.sent, self.tally.sent_ns = self.sent + 1, now_ns
            fd = self.idle.popleft()
            free_ns = self.free_ns.pop(fd)
            self.tally.late += now_ns - due_ns > LATE_NS
            # Connecting waits for the server, so that what came due meanwhile is not late by the generator's fault.
            self.tally.own_late_us[(now_ns - max(due_ns, free_ns, self.lines.connected_ns)) // 1000] += 1
            try:
                self.lines.ask(fd, due_ns)
            except Broken as broken:
                self.rest(self.lines.lose(fd, broken))
        return 0

    def wait(self, until_ns: int) -> list[tuple[int, int]]:
        """Return what is ready, as soon as something is or shortly before the time given, with nothing.

        What is ready without waiting may have been so since the last look, and what it frees is free from then.
        """
        poll, clock = self.lines.poller.poll, time.perf_counter_ns
        ready, self.found_ns = poll(0, MOST_EVENTS), self.looked_ns
        now_ns = self.looked_ns = clock()
        if ready or (left_ns := until_ns - self.ahead_ns - now_ns) <= 0:
            return ready
        wait(self.lines.poller, left_ns / 1e9)
        ready = poll(0, MOST_EVENTS)
        self.found_ns = self.looked_ns = clock()
        self.tally.waited_ns += max(0, min(self.looked_ns, self.end_ns) - now_ns)
        return ready

    def go_on(self, fd: int, ready: int) -> None:
        """Take what has come on a connection, and let it rest when that was the rest of an answer."""
        try:
            if fd in self.free_ns:
                self.idle.remove(fd)
                if self.looked_ns - self.free_ns.pop(fd) < KEPT_NS:
                    raise Broken("read")  # noqa: TRY301 - as when it breaks with a request on it
                self.rest(self.lines.replace(fd))
            elif free := self.lines.take(fd, ready):
                self.rest(free)
        except Broken as broken:
            self.rest(self.lines.lose(fd, broken))

    def rest(self, fd: int) -> None:
        """Have one more idle connection."""
        self.idle.append(fd)
        self.free_ns[fd] = self.found_ns
