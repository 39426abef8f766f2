"""Shows on standard error how far a run is: a live table on a terminal, a line per sample elsewhere."""

from __future__ import annotations

import time
from typing import IO, Self

from rich.console import Console
from rich.live import Live

from servermatrix.cli import interrupts
from servermatrix.cli.show import tell, wants_escapes
from servermatrix.experiment import Listener
from servermatrix.model import Proof, RunHeader, Sample, Step
from servermatrix.render import progress


class Progress:
    """What a run tells of itself; a context, so that a terminal is left in order."""

    def __init__(self, stream: IO[str], *, quiet: bool) -> None:
        """Choose the form by what the stream is."""
        self._console = Console(file=stream)
        self._live = Live(console=self._console, auto_refresh=False) if wants_escapes(stream) and not quiet else None
        self._quiet = quiet
        self._seen: list[progress.Seen] = []
        self._cells: tuple[str, ...] = ()
        self._steps = self._before = 0
        self._began = time.monotonic()
        self._now = ""
        self.listener = Listener(preparing=tell, opened=self._opened, started=self._started, recorded=self._recorded)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _opened(self, header: RunHeader, stored: tuple[Sample, ...]) -> None:
        self._cells = tuple(planned.cell.id for planned in header.cells)
        self._steps = len(self._cells) * header.rounds
        self._seen, self._before = list(map(progress.seen, stored)), len(stored)
        self._began = time.monotonic()

    def _started(self, step: Step) -> None:
        interrupts.check()
        self._now = step.cell.id
        self._draw()

    def _recorded(self, record: Proof | Sample) -> None:
        if isinstance(record, Proof):
            return
        self._seen.append(progress.seen(record))
        if self._live is None and not self._quiet:
            line = progress.step_line(len(self._seen), self._steps, record, self._eta_s())
            tell(line)
        self._draw()

    def _eta_s(self) -> float:
        done = len(self._seen) - self._before
        return progress.eta(done, self._steps - self._before, time.monotonic() - self._began)

    def _draw(self) -> None:
        if self._live is not None:
            elapsed_s = time.monotonic() - self._began
            shown = progress.live_table(
                self._cells, self._seen, total=self._steps, elapsed_s=elapsed_s, left_s=self._eta_s(), now=self._now
            )
            self._live.update(shown, refresh=True)
