"""A load generator for HTTP/1.1 of the standard library alone, in a closed or an open loop, run as a program by builtin.py.

Its one argument is the file of a JSON document with the fields of Task. Each process has its share of the connections. In a
closed loop it keeps them busy until the time is over, whatever the server does; in an open loop it sends its share of the
requests when they are due, and latency counts from then, whenever they were sent.
"""

import gc
import json
import os
import pickle
import sys
import time
from collections import Counter
from io import BufferedWriter

# Started with -I, it finds what it consists of only where it looks for itself. What is imported here and beside is little
# on purpose: starting takes CPU time on which a short window has no more requests.
sys.path.insert(0, os.path.abspath(__file__).rsplit(os.sep, 3)[0])  # noqa: PTH100 - see above

from runners.loads._builtin_lines import Broken, Lines
from runners.loads._builtin_loops import OpenLoop, closed_loop, wake_promptly
from runners.loads._builtin_task import Tally, Task

READY, FAILED = b"+", b"-"
TO_BEGIN_NS = 2_000_000


def requests_due(task: Task) -> int:
    """Count the requests of an open loop, of all processes."""
    return max(1, round(task.rate_per_s * task.duration_s))


def share(total: int, processes: int, index: int) -> int:
    """Return a process's part of what is dealt out in turn."""
    return total // processes + (index < total % processes)


def drive(task: Task, index: int, lines: Lines, fds: list[int], begin_ns: int) -> None:
    """Do a process's share of the task; Broken when no connection is to be had any more."""
    gc.freeze()
    gc.disable()
    duration_ns = round(task.duration_s * 1e9)
    lines.tally.begin_ns = begin_ns
    if not task.rate_per_s:
        closed_loop(lines, fds, begin_ns + duration_ns)
        return
    wake_promptly()
    total = requests_due(task)
    each_ns = duration_ns / total
    loop = OpenLoop(
        lines,
        fds,
        first_ns=begin_ns + round(index * each_ns),
        step_ns=task.processes * each_ns,
        total=share(total, task.processes, index),
    )
    loop.run(begin_ns + duration_ns + round(task.wait_s * 1e9))


def work(task: Task, index: int, begin: int, out: BufferedWriter) -> None:
    """Connect, say so, begin when told to, and hand over what was counted; `begin` is a descriptor that tells when."""
    tally, said = Tally(begin_ns=time.perf_counter_ns()), FAILED
    try:
        lines = Lines(task, tally, index)
        fds = [lines.connect() for _ in range(share(task.connections, task.processes, index))]
        said = READY
        out.write(said)
        out.flush()
        if begin_ns := int.from_bytes(os.read(begin, 8), "little"):
            drive(task, index, lines, fds, begin_ns)
    except Broken as broken:
        tally.errors[str(broken)] += 1
        out.write(FAILED if said is FAILED else b"")
    tally.end_ns = time.perf_counter_ns()
    pickle.dump(tally, out)


def drive_all(task: Task) -> list[Tally]:
    """Drive in as many processes as asked for, which begin together once all are connected, or not at all."""
    readers, (hear, tell) = [], os.pipe()
    for index in range(task.processes):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(tell)
            with open(writer, "wb") as pipe:  # noqa: PTH123 - a file descriptor
                work(task, index, hear, pipe)
            os._exit(0)
        os.close(writer)
        readers.append(open(reader, "rb"))  # noqa: PTH123, SIM115 - a file descriptor, open until the process has ended
    connected = [reader.read(1) == READY for reader in readers]
    begin_ns = time.perf_counter_ns() + TO_BEGIN_NS if all(connected) else 0
    os.write(tell, begin_ns.to_bytes(8, "little") * task.processes)
    tallies = [pickle.load(reader) for reader in readers]  # noqa: S301 - written by our own children
    for _ in readers:
        os.wait()
    return tallies


def report(tallies: list[Tally], task: Task) -> dict[str, object]:
    """Add up what the processes counted.

    A closed loop lasts from the first begin to the last end, an open one as asked, or until the last request was sent if that
    took longer: what is answered after the window because it could not be sent in it is no proof that the rate was kept.
    """
    answers = [sum((tally.statuses[place] for tally in tallies), Counter[int]()) for place in range(len(task.requests))]
    statuses = sum(answers, Counter[int]())
    latency_us = sum((tally.latency_us for tally in tallies), Counter[int]())
    errors = sum((tally.errors for tally in tallies), Counter[str]())
    wrong = [
        sum(n for status, n in counts.items() if status not in asked.right)
        for asked, counts in zip(task.requests, answers, strict=True)
    ]
    end_ns = max(tally.sent_ns if task.rate_per_s else tally.end_ns for tally in tallies)
    lasted_us = (end_ns - min(tally.begin_ns for tally in tallies)) // 1000
    found = {
        "schema": 1,
        "duration_us": max(lasted_us, round(task.duration_s * 1e6)) if task.rate_per_s else lasted_us,
        "requests": statuses.total(),
        "bytes": sum(tally.bytes for tally in tallies),
        "errors": {**errors, "status": sum(wrong)},
        "statuses": sorted(statuses.items()),
        "answers": [sorted(counts.items()) for counts in answers],
        "histogram": sorted(latency_us.items()),
    }
    return found | (_open_loop(tallies) if task.rate_per_s else {})


def _open_loop(tallies: list[Tally]) -> dict[str, object]:
    due = sum(tally.due for tally in tallies)
    return {
        "due": due,
        "unanswered": due - sum(tally.answered for tally in tallies),
        "late": sum(tally.late for tally in tallies),
        "own_late": sorted(sum((tally.own_late_us for tally in tallies), Counter[int]()).items()),
        "waited_us": sum(tally.waited_ns for tally in tallies) // 1000,
    }


def main(file: str) -> None:
    """Do the task and write the result in one go."""
    with open(file, encoding="utf-8") as text:  # noqa: PTH123 - see above
        task = Task(**json.load(text))
    found = json.dumps(report(drive_all(task), task))
    with open(task.result, "w", encoding="utf-8") as text:  # noqa: PTH123 - see above
        text.write(found)


if __name__ == "__main__":
    main(sys.argv[1])
