"""What the built-in generator is to do, what it counts, and which request comes next."""

from collections import Counter
from collections.abc import Iterator
from itertools import repeat

GOLDEN = 0.6180339887498949  # its multiples, taken modulo 1, never come round
RIGHT = range(400)


class Asked:
    """One request of a task, in latin-1 text; `last_request` is the same as the last one of a connection.

    The right status is the expected one, or any below 400 where there is none.
    """

    def __init__(self, request: str, last_request: str, expect_status: int | None) -> None:
        """Take the fields; a dataclass would need a fifth of the CPU time that the program takes to start."""
        self.request, self.last_request = request.encode("latin-1"), last_request.encode("latin-1")
        self.right = RIGHT if expect_status is None else (expect_status,)


class Task:
    """What to do; 0 requests per connection stand for any number of them.

    `requests` have the fields of Asked, and `order` has the places of the requests, each as often as its request is sent. With
    a rate it is an open loop, which waits for so many seconds after the duration for what has not been answered.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        requests: list[tuple[str, str, int | None]],
        order: list[int],
        requests_per_connection: int,
        connections: int,
        processes: int,
        duration_s: float,
        result: str,
        rate_per_s: float = 0.0,
        wait_s: float = 0.0,
    ) -> None:
        """Take the fields."""
        self.host, self.port, self.result = host, port, result
        self.requests, self.order = [Asked(*each) for each in requests], order
        self.requests_per_connection = requests_per_connection
        self.connections, self.processes = connections, min(processes, connections)
        self.duration_s, self.rate_per_s, self.wait_s = duration_s, rate_per_s, wait_s


class Tally:
    """What one process counted; the times are perf_counter nanoseconds, which all processes of a machine share.

    `statuses` are counts for each request of the task. The second half is of an open loop: `late` are the requests sent over a
    millisecond after they were due or not at all, `own_late_us` is how late each was sent though a connection was idle,
    `waited_ns` how long there was nothing to do, `sent_ns` when the last was sent, or given up.
    """

    def __init__(self, begin_ns: int = 0, end_ns: int = 0) -> None:
        """Have counted nothing yet."""
        self.begin_ns, self.end_ns, self.bytes = begin_ns, end_ns, 0
        self.errors, self.latency_us = Counter[str](), Counter[int]()
        self.statuses: list[Counter[int]] = []
        self.due = self.late = self.waited_ns = self.sent_ns = 0
        self.own_late_us = Counter[int]()

    @property
    def answered(self) -> int:
        """Count the answers to all requests."""
        return sum(counts.total() for counts in self.statuses)


class Wanted:
    """A request that is asked again and again, with the counts of its statuses and the last answer to it in one piece."""

    def __init__(self, asked: Asked, statuses: Counter[int]) -> None:
        """Have no answer yet; one to a HEAD request has no body."""
        self.request, self.last, self.statuses = asked.request, asked.last_request, statuses
        self.bodiless = asked.request.startswith(b"HEAD ")
        self.usual, self.usual_status = b"", 0


def turns(task: Task, tally: Tally, index: int) -> Iterator[Wanted]:
    """Yield the next request for ever: in the order of the task, each time round from another place.

    With a number of connections that the length of the order divides, a connection would else send one and the same request
    for ever, and a worker of the server might get all those that are dear. As wrk_mix.lua does.
    """
    tally.statuses = [Counter[int]() for _ in task.requests]
    wanted = [Wanted(asked, counts) for asked, counts in zip(task.requests, tally.statuses, strict=True)]
    order = [wanted[place] for place in task.order]
    return repeat(order[0]) if len(order) == 1 else _from_other_places(order, index)


def _from_other_places(order: list[Wanted], turn: int) -> Iterator[Wanted]:
    while True:
        start = int(turn * GOLDEN % 1 * len(order))
        yield from order[start:]
        yield from order[:start]
        turn += 1
