"""What a regression was put down to, kept beside its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from servermatrix.errors import StoredRunUnreadable
from servermatrix.model import Attribution, Probe
from servermatrix.store import read_attribution, write_attribution
from servermatrix.store.attribution import ATTRIBUTION

FOUND = Attribution(
    packages=("uvicorn",),
    sentence="uvicorn did it",
    probes=tuple(Probe(upgraded=("uvicorn", "h11"), worse=worse, sentence="it was", run="r") for worse in (True, False, None)),
)


def test_what_was_found_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    assert read_attribution(tmp_path) is None
    write_attribution(tmp_path, FOUND)
    assert read_attribution(tmp_path) == FOUND


def test_a_run_file_without_a_folder_of_its_own_has_none(tmp_path: Path) -> None:
    write_attribution(tmp_path, FOUND)
    (tmp_path / "some.jsonl").touch()
    assert read_attribution(tmp_path / "some.jsonl") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"packages": [], "sentence": "", "probes": [{"worse": 1}]}'])
def test_a_damaged_one_is_named_and_how_to_make_it_again(tmp_path: Path, text: str) -> None:
    (tmp_path / ATTRIBUTION).write_text(text)
    with pytest.raises(StoredRunUnreadable, match=r"attribution\.json: cannot be read") as caught:
        read_attribution(tmp_path)
    assert "--bisect" in caught.value.tip
