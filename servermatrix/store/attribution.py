"""What a regression was put down to, kept beside the run of its check: it rests on runs of its own, which are below that."""

from __future__ import annotations

import json
from pathlib import Path

from servermatrix.errors import StoredRunUnreadable
from servermatrix.model import Attribution, Probe
from servermatrix.store.codec import plain
from servermatrix.store.folder import write_report
from servermatrix.store.jsonvalue import Raw, an_object, objects, text, texts

ATTRIBUTION = "attribution.json"


def write_attribution(run_folder: Path, found: Attribution) -> None:
    """Keep what was found beside the run; raises Unfit."""
    write_report(run_folder, ATTRIBUTION, json.dumps(plain(found), default=plain, indent=2) + "\n")


def read_attribution(path: Path) -> Attribution | None:
    """Read what was found, None where nobody looked; raises StoredRunUnreadable for anything else that is there."""
    file = path / ATTRIBUTION
    if not path.is_dir() or not file.exists():
        return None
    try:
        raw = an_object(json.loads(file.read_text(encoding="utf-8")))
        return Attribution(
            packages=texts(raw, "packages"), sentence=text(raw, "sentence"), probes=tuple(map(_probe, objects(raw, "probes")))
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        tip = "Remove that file: check --resume with --bisect makes it again."
        raise StoredRunUnreadable(f"{file}: cannot be read: {error}", tip=tip) from error


def _probe(raw: Raw) -> Probe:
    worse = raw["worse"]
    if worse is not None and not isinstance(worse, bool):
        message = f"worse is {worse!r}"
        raise TypeError(message)
    return Probe(upgraded=texts(raw, "upgraded"), worse=worse, sentence=text(raw, "sentence"), run=text(raw, "run"))
