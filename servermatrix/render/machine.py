"""How a run was made: its command, its size, the machine, the generators and their ceilings, the noise that was allowed."""

from __future__ import annotations

from servermatrix.model import Report, RunHeader
from servermatrix.render import looks, notes, remarks
from servermatrix.render.table import amount, shell_line

PROGRAM = ("python3", "run_matrix.py")


def facts(report: Report) -> dict[str, str]:
    """List what a run was made with, by what it is."""
    header = report.header
    return {
        "run": header.id,
        "started": header.started_at,
        "command": shell_line((*PROGRAM, *header.argv)),
        "complete": "yes" if report.complete else notes.incomplete(report),
        "rounds": looks.rounds(report),
        **({"looks": plan} if (plan := looks.plan(header, report.decisions)) else {}),
        "steps": f"{amount(report.steps_done)} of {amount(notes.steps_planned(report))}",
        "seed": str(header.seed),
        "generator": notes.generators(header),
        **remarks.ceilings_in_words(report),
        "noise floor": looks.noise_floor(report).removeprefix("Noise floor: ") or looks.no_floor(report),
        **of_host(header),
        "versions": versions(header),
        "git": header.git,
        "noise allowed": notes.noise(header),
    }


def of_host(header: RunHeader) -> dict[str, str]:
    """List what the machine of a run is."""
    host = header.host
    return {
        "cpu": host.cpu,
        "cores": f"{host.cores} ({host.pinned})" if host.pinned else f"{host.cores} (not pinned)",
        "memory MiB": amount(host.memory_bytes / 2**20),
        "system": host.system,
        "python": host.python,
    }


def versions(header: RunHeader) -> str:
    """Write down what was installed, each version of a name once."""
    return ", ".join(dict.fromkeys(f"{name} {version}" for name, version in header.versions))
