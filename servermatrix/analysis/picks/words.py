"""Numbers, cells and cores in the words of a search; it calculates nothing."""

from __future__ import annotations

from servermatrix.model import CPU, MEMORY, Cell, Estimate

MIB = 2**20
SMALL = 10  # below it a rate or a time has a decimal
ONCE = 0.1  # a ratio that is further from 1 is written to the hundredth, else to the thousandth
_TAKEN = {CPU: "the CPU time per request", MEMORY: "the memory"}


def setting(cell: Cell) -> str:
    """Name a cell as a user would choose it: `uvicorn[http=httptools,loop=uvloop] with 2 workers`, with HTTP/2 where it is."""
    workers = "1 worker" if cell.workers == 1 else f"{cell.workers} workers"
    return f"{cell.setting}{'' if cell.protocol == 'h1' else f' ({cell.protocol})'} with {workers}"


def rate(value: Estimate) -> str:
    """Write requests per second with their interval."""
    return f"{interval(value)} requests/s"


def number(value: float) -> str:
    """Write a number without an interval."""
    return f"{value:,.1f}" if value < SMALL else f"{value:,.0f}"


def interval(value: Estimate) -> str:
    """Write a number with its interval, where it has one."""
    form = "{:,.1f}" if value.value < SMALL else "{:,.0f}"
    return _bracketed(value, form)


def times(value: Estimate) -> str:
    """Write a ratio with its interval, where it has one: `1.21x [1.18, 1.24]`."""
    close = all(abs(each - 1) < ONCE for each in (value.value, value.low or value.value, value.high or value.value))
    return _bracketed(value, "{:.3f}" if close else "{:.2f}", "x")


def compared(ratio: Estimate, prefer: str) -> str:
    """Write what a ratio of scores, above 1 where a cell is better, says of what is preferred: `0.48x as many requests/s`."""
    if prefer not in _TAKEN:
        return f"{times(ratio)} as many requests/s"
    low, high = (None if not each else 1 / each for each in (ratio.high, ratio.low))
    return f"{times(Estimate(value=1 / ratio.value, low=low, high=high, n=ratio.n))} {_TAKEN[prefer]}"


def increase(value: Estimate) -> str:
    """Write by how much a ratio is above 1, in per cent, with its interval, where it has one: `2.1% [0.4%, 3.9%]`."""
    told = f"{value.value - 1:.1%}"
    if value.low is None or value.high is None:
        return told
    return f"{told} [{value.low - 1:.1%}, {value.high - 1:.1%}]"


def percent(value: Estimate) -> str:
    """Write a share (0-1) in per cent, with its interval where that is not the same when written."""
    told = f"{value.value:.0%}"
    ends = () if value.low is None or value.high is None else (f"{value.low:.0%}", f"{value.high:.0%}")
    return f"{told} [{', '.join(ends)}]" if set(ends) - {told} else told


def mebibytes(size: float) -> str:
    """Write a size, given in bytes, in MiB."""
    return f"{size / MIB:,.1f} MiB" if size < SMALL * MIB else f"{size / MIB:,.0f} MiB"


def latency(value: Estimate) -> str:
    """Write a latency with its interval, where it has one, given in microseconds, in ms: `5.25 [5.00, 5.50] ms`."""
    low, high = (None if each is None else each / 1000 for each in (value.low, value.high))
    form = "{:,.2f}" if value.value < SMALL * 1000 else "{:,.1f}"
    return f"{_bracketed(Estimate(value=value.value / 1000, low=low, high=high, n=value.n), form)} ms"


def _bracketed(value: Estimate, form: str, unit: str = "") -> str:
    told = form.format(value.value) + unit
    if value.low is None or value.high is None:
        return told
    return f"{told} [{form.format(value.low)}, {form.format(value.high)}]"
