"""`verify`: start every setting of a selection once, without load."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from servermatrix.cli.redaction import without_values
from servermatrix.cli.selectors import PYTHON, selecting, typed_besides
from servermatrix.cli.show import AS_JSON, tell
from servermatrix.cli.values import Seconds
from servermatrix.errors import Exit, UsageProblem
from servermatrix.model import Validity, Verified
from servermatrix.prepare import Setup, Wishes, impossible, prepare
from servermatrix.render import verified as page
from servermatrix.suggest import listed
from servermatrix.verification import both_worker_counts, total, verified

BAD = {Validity.FAILED: Exit.CELL_FAILED, Validity.REFUTED: Exit.CELL_FAILED, Validity.MISSING: Exit.UNFIT}

# What chooses settings, and what is said of the verification itself.
HEEDED = frozenset(
    {"matrix", "profile", "keep", "sets", "connections", "generator", "runners"}
    | {"python", "out", "startup_timeout", "excluded", "as_markdown", "as_json"}
)


@click.command()
@selecting
@PYTHON
@click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)
@click.option("--startup-timeout", default="20s", type=Seconds(), show_default=True, help="Longest wait for the witness.")
@click.option("--excluded", is_flag=True, help="Start what is excluded too, to see that it does not run.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the page docs/servers.md.")
@AS_JSON
def verify(
    wishes: Wishes, *, python: str, out: Path, startup_timeout: int, excluded: bool, as_markdown: bool, as_json: bool
) -> None:
    """Start every setting on the witness with one worker and with two, and say what really ran and how it ended."""
    if refused := typed_besides(HEEDED):
        raise UsageProblem(f"verify starts the witness and puts no load on it; {listed(refused)} has no meaning for it")
    wishes = both_worker_counts(wishes)
    setup = Setup(out=out, argv=without_values(sys.argv[1:]), python=python, ready_s=startup_timeout)
    prepared = prepare(wishes, find_tools=False)
    suspects = impossible(wishes) if excluded else ()
    count, seen = total(prepared, suspects), list[Verified]()
    form = page.to_json if as_json else page.to_markdown if as_markdown else page.to_text
    try:
        for each in verified(prepared, setup, suspects, tell):
            seen.append(each)
            tell(page.line(each, len(seen), count))
    finally:  # what was seen is told, however it ends
        if seen:
            click.echo(form(seen), nl=False)
    sys.exit(max((BAD.get(each.validity, Exit.OK) for each in seen), default=Exit.OK, key=_weight))


def _weight(code: Exit) -> int:
    """Order exit codes by precedence: an unfit environment before a cell that failed."""
    return (Exit.OK, Exit.CELL_FAILED, Exit.UNFIT).index(code)
