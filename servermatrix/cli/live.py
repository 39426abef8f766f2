"""Shows on standard error how far a run is: a live table on a terminal, a line per record elsewhere."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import IO, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from servermatrix.analysis.holding import told
from servermatrix.cli import interrupts
from servermatrix.cli.show import tell, wants_escapes
from servermatrix.effort import steps_expected
from servermatrix.experiment import Listener
from servermatrix.measure.course import Found
from servermatrix.model import Attempt, Ceiling, Decision, Failed, Measured, Pace, Proof, Run, Sample, Skipped, Step
from servermatrix.render import progress


class Progress:
    """What a run tells of itself; a context, so that a terminal is left in order."""

    def __init__(self, stream: IO[str], *, quiet: bool) -> None:
        """Choose the form by what the stream is."""
        self._console = Console(file=stream)
        self._live = Live(console=self._console, auto_refresh=False) if wants_escapes(stream) and not quiet else None
        self._quiet = quiet
        self._seen: list[progress.Seen] = []
        self._run: Run | None = None
        self._paces: set[str] = set()
        self._steps = self._before = 0
        self._began = time.monotonic()
        self._now = ""
        self.listener = Listener(preparing=self._say, opened=self._opened, started=self._started, recorded=self._recorded)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _opened(self, stored: Run) -> None:
        self._run, self._steps = replace(stored, samples=()), steps_expected(stored)
        self._seen, self._before = list(map(progress.seen, stored.samples)), len(stored.samples)
        self._began = time.monotonic()

    def _started(self, step: Step) -> None:
        interrupts.check()
        self._now = step.cell.id
        self._draw()

    def _recorded(self, record: Found) -> None:
        match record:
            case Measured() | Failed() | Skipped():
                self._sampled(record)
            case Decision():
                self._decided(record)
            case Ceiling():
                self._say(progress.ceiling_line(record))
            case Pace():
                self._paced(progress.pace_line(record))
            case Attempt():
                self._attempted(record)
            case Proof():
                pass

    def _sampled(self, sample: Sample) -> None:
        self._seen.append(progress.seen(sample))
        if self._live is None:
            self._say(progress.step_line(len(self._seen), self._steps, sample, self._eta_s()))
        self._draw()

    def _decided(self, decision: Decision) -> None:
        if self._run is None:
            return
        self._run = replace(self._run, decisions=(*self._run.decisions, decision))
        self._steps = steps_expected(self._run)
        for line in progress.decision_lines(decision, self._run.header):
            self._say(line)

    def _paced(self, line: str) -> None:
        """Tell once what is the same for all cells of a comparison."""
        if line not in self._paces:
            self._paces.add(line)
            self._say(line)

    def _attempted(self, attempt: Attempt) -> None:
        """Tell what came of a start at a fixed rate; what was not tried has no rate."""
        race = self._run.header.race if self._run is not None else None
        if race is not None:
            self._say(f"attempt {attempt.number}  {attempt.sample.cell_id} {told(race, attempt)}")

    def _say(self, line: str) -> None:
        """Tell a line, above the table where there is one."""
        if self._live is not None:
            self._console.print(Text(line))
        elif not self._quiet:
            tell(line)

    def _eta_s(self) -> float:
        done, elapsed_s = len(self._seen) - self._before, time.monotonic() - self._began
        left_s = progress.eta(done, self._steps - self._before, elapsed_s)
        budget_s = self._run.header.budget_s if self._run is not None and self._run.header.race is not None else 0
        return min(left_s, max(0.0, budget_s - elapsed_s)) if budget_s and not self._before else left_s

    def _draw(self) -> None:
        if self._live is None or self._run is None:
            return
        shown = progress.live_table(
            [planned.cell.id for planned in self._run.header.cells],
            self._seen,
            total=self._steps,
            elapsed_s=time.monotonic() - self._began,
            left_s=self._eta_s(),
            now=self._now,
            left_out={cell_id for decision in self._run.decisions for cell_id, _ in decision.dropped},
        )
        self._live.update(shown, refresh=True)
