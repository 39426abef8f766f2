"""Waits for what is ready among the connections of the built-in generator: with epoll, or with poll where there is none."""

import select

READ, WRITE = select.POLLIN, select.POLLOUT  # epoll has the same values for them


class Poll:
    """What is used of select.epoll, of select.poll; it tells of everything that is ready, for it has no turns to take."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        poll = select.poll()
        self.register, self.modify, self.unregister, self._poll = poll.register, poll.modify, poll.unregister, poll.poll

    def poll(self, left_s: float, most: int = 0) -> list[tuple[int, int]]:
        """Wait for so many seconds, in whole milliseconds, and return what is ready; `most` is not kept to."""
        del most
        return self._poll(int(left_s * 1000))


def make_poller() -> "select.epoll | Poll":
    """Return the best this system has."""
    return select.epoll() if hasattr(select, "epoll") else Poll()


def wait(poller: "select.epoll | Poll", left_s: float) -> None:
    """Wait until something is ready, for so many seconds at most.

    Python's epoll waits for whole milliseconds; select waits for microseconds, also for a descriptor of epoll.
    """
    if isinstance(poller, Poll):
        poller.poll(left_s)
    else:
        select.select((poller,), (), (), left_s)
