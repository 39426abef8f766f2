"""`merge`: judge the shards of a check as one night."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from servermatrix import keeping, merging
from servermatrix.cli.show import AS_JSON, show, tell
from servermatrix.errors import Exit

RUNS = click.argument("runs", nargs=-1, required=True, metavar="RUN...")
OUT = click.option("--out", default="reports", type=click.Path(path_type=Path), metavar="DIR", show_default=True)
INCONCLUSIVE = click.option(
    "--inconclusive",
    default="warn",
    type=click.Choice(["warn", "fail"]),
    show_default=True,
    help="What a night without certain findings ends with: a warning, or exit code 6.",
)
HISTORY = click.option("--history", type=click.Path(path_type=Path), metavar="DIR", help="Add the night to the history in DIR.")
JUNIT = click.option("--junit", "junit_file", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML.")
BENCH_JSON = click.option(
    "--bench-json", "bench_file", type=click.Path(path_type=Path), metavar="FILE", help="Write customBiggerIsBetter JSON."
)


@click.command()
@RUNS
@OUT
@HISTORY
@JUNIT
@BENCH_JSON
@INCONCLUSIVE
@AS_JSON
def merge(
    runs: tuple[str, ...],
    *,
    out: Path,
    history: Path | None,
    junit_file: Path | None,
    bench_file: Path | None,
    inconclusive: str,
    as_json: bool,
) -> None:
    """Judge the shards of a check as one night: ids, folders of runs, or folders in which runs are."""
    night = merging.merge(merging.find(runs, out))
    show(night.report, as_json=as_json, as_markdown=False)
    for note in night.notes:
        tell(f"warning: {note}")
    kept = [*keeping.exported(night.report, keeping.Wanted(junit=junit_file, bench_json=bench_file))]
    if history is not None:
        kept.append(keeping.done("--history", lambda: f"history: {merging.keep_night(night, history)}"))
    for one in kept:
        tell(one.sentence)
    sys.exit(keeping.ended(ended(night, inconclusive), kept))


def ended(night: merging.Merged, inconclusive: str) -> Exit:
    """Return the exit code of a night, and say on standard error where it would be another one with --inconclusive=fail."""
    code = night.exit_code(inconclusive_fails=inconclusive == "fail")
    if code is Exit.OK and night.exit_code(inconclusive_fails=True) is Exit.INCONCLUSIVE:
        tell("warning: the night is inconclusive; with --inconclusive=fail it would end with 6")
    return code
