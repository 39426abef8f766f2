"""Two states of a folder of code are told apart by its Python files, and by nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from servermatrix.measure import code
from servermatrix.measure.code import code_state


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.py").write_text("app = 1\n")
    (tmp_path / "main.py").write_text("import shop\n")
    return tmp_path


def put(file: Path, text: str = "x = 1\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_other_content_names_and_numbers_of_files_are_other_states(shop: Path) -> None:
    seen = [code_state(shop)]
    put(shop / "shop" / "main.py", "app = 2\n")
    seen.append(code_state(shop))
    (shop / "main.py").rename(shop / "mine.py")
    seen.append(code_state(shop))
    put(shop / "deep" / "down" / "more.py", "")
    seen.append(code_state(shop))
    assert len(set(seen)) == 4
    assert all(re.fullmatch("files [0-9a-f]{8}", each) for each in seen)


def test_what_is_no_code_of_the_app_changes_nothing(shop: Path) -> None:
    before = code_state(shop)
    put(shop / "venv" / "pyvenv.cfg")
    for name in ("reports/run.jsonl", "__pycache__/a.py", ".venv/a.py", "node_modules/a/b.py", "venv/lib/a.py", "notes.txt"):
        put(shop / name)
    assert code_state(shop) == before


def test_a_link_that_leads_nowhere_and_a_folder_called_like_a_file_are_no_harm(shop: Path) -> None:
    (shop / "gone.py").symlink_to("nowhere.py")
    (shop / "folder.py").mkdir()
    assert code_state(shop).startswith("files ")


def test_no_more_is_read_than_the_limits_allow(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MOST_FILES", 1)
    before = code_state(shop)
    put(shop / "shop" / "main.py", "app = 2\n")
    assert code_state(shop) == before
    put(shop / "main.py", "import shap\n")
    assert code_state(shop) != before
