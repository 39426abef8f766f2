"""An environment beside another: it sees those packages, adds what is missing, and changes nothing there."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.measure import overlay
from servermatrix.measure.environment_cache import Made, Unmade, Wanted, known
from servermatrix.measure.environments import contents, site_folders
from servermatrix.measure.interpreters import Interpreter
from tests.installers import SITE, log, real_python, with_uv, without_uv

SHIPPED = "gunicorn==27.0.1\nh11==0.16.0\n"
NO_RLOOP = "any('rloop' in word for word in words) and sys.exit('ERROR: No matching distribution found for rloop')"
RETRIED = "WARNING: Retrying (Retry(total=0, connect=None))\\nERROR: No matching distribution found for rloop"
UNREACHED = f"any('rloop' in word for word in words) and sys.exit('{RETRIED}')"


def installed(site: Path, name: str, version: str, text: str = "") -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (site / f"{name}.py").write_text(text)


@pytest.fixture
def theirs(tmp_path: Path) -> Interpreter:
    """An environment of the user's: h11 in another version than the shipped one, and a package that is installed editable."""
    folder = tmp_path / "theirs"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(real_python().real)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(real_python().real).parent}\ninclude-system-site-packages = false\n")
    site = folder / SITE
    installed(site, "h11", "0.14.0", "WHOSE = 'theirs'")
    installed(site, "shop", "0.3.1")
    (site / "shop.py").unlink()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "shop.py").write_text("NAME = 'shop'")
    (site / "finder.py").write_text(f"import sys; sys.path.append({str(tmp_path / 'source')!r})")
    (site / "__editable__.shop.pth").write_text("import finder\n")
    return Interpreter(path=str(folder / "bin" / "python"), version=real_python().version, real=real_python().real)


def made_with(tmp_path: Path, python: Interpreter) -> tuple[Interpreter, dict[str, str]]:
    """Put the stand-ins of venv and pip behind an interpreter."""
    base, environ = without_uv(tmp_path)
    return replace(python, real=base.real), environ


def wanted(python: Interpreter, *requirements: str) -> Wanted:
    beside = site_folders(python.path)
    return Wanted(python=python, requirements=requirements or ("gunicorn>=25", "h11"), constraints=SHIPPED, beside=beside)


def ensured(asked: Wanted, tmp_path: Path, environ: dict[str, str], *required: str) -> Made | Unmade:
    return overlay.ensure(asked, required or ("gunicorn>=25",), tmp_path / "cache", environment=environ)


def made(asked: Wanted, tmp_path: Path, environ: dict[str, str], *required: str) -> Made:
    found = ensured(asked, tmp_path, environ, *required)
    assert isinstance(found, Made), found
    return found


def sentence(asked: Wanted, tmp_path: Path, environ: dict[str, str], *required: str) -> str:
    found = ensured(asked, tmp_path, environ, *required)
    assert isinstance(found, Unmade), found
    assert known(asked, tmp_path / "cache") is None
    return found.sentence


def state(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def said(python: str, script: str) -> str:
    done = subprocess.run([python, "-B", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_it_holds_their_packages_in_their_versions_and_what_was_missing(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    found = made(wanted(python, "gunicorn>=25"), tmp_path, environ)
    assert dict(found.versions) == {"gunicorn": "27.0.1", "h11": "0.14.0", "shop": "0.3.1"}
    assert said(found.python, "import h11, shop; print(h11.WHOSE, shop.NAME)") == "theirs shop"


def test_their_versions_are_the_constraints_and_the_shipped_ones_hold_for_the_rest(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    folder = Path(made(wanted(python, "gunicorn>=25"), tmp_path, environ).python).parents[1]
    assert (folder / "constraints.txt").read_text().split() == ["h11==0.14.0", "shop==0.3.1", "gunicorn==27.0.1"]


def test_nothing_changes_where_their_packages_are(tmp_path: Path, theirs: Interpreter) -> None:
    folder = Path(theirs.path).parents[1]
    before, had = state(folder), contents(theirs.path)
    python, environ = made_with(tmp_path, theirs)
    found = made(wanted(python, "gunicorn>=25"), tmp_path, environ)
    assert contents(found.python) != had
    assert (state(folder), contents(theirs.path)) == (before, had)


def test_it_is_found_again_until_what_it_shares_changes(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    asked = wanted(python, "gunicorn>=25")
    first, lines = made(asked, tmp_path, environ), len(log(environ))
    assert made(asked, tmp_path, environ) == replace(first, new=False)
    assert len(log(environ)) == lines
    installed(Path(theirs.path).parents[1] / SITE, "fresh", "1.0")
    again = made(asked, tmp_path, environ)
    assert (again.python, again.new, dict(again.versions)["fresh"]) == (first.python, True, "1.0")


def test_what_cannot_be_installed_is_done_without_and_the_reason_kept(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    asked = wanted(python, "gunicorn>=25", "rloop", "uvloop")
    found = made(asked, tmp_path, {**environ, "FIRST": NO_RLOOP})
    assert found.refused == (("rloop", "No matching distribution found for rloop"),)
    assert dict(found.versions).keys() == {"gunicorn", "uvloop", "h11", "shop"}
    assert made(asked, tmp_path, environ) == replace(found, new=False)


def test_without_what_is_required_there_is_no_environment(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    said = sentence(wanted(python, "rloop", "uvloop"), tmp_path, {**environ, "FIRST": NO_RLOOP}, "rloop")
    beside = f"rloop uvloop on Python {python.version}, beside the packages of {theirs.path},"
    assert said == f"{beside} cannot be installed: No matching distribution found for rloop"


def test_a_server_that_needs_another_version_of_theirs_is_refused(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    why = "h11 0.14.0 is installed beside the app and is left as it is, but h11>=0.15 is needed"
    assert sentence(wanted(python, "gunicorn>=25", "h11>=0.15"), tmp_path, environ, "h11>=0.15").endswith(f"installed: {why}")
    found = made(wanted(python, "gunicorn>=25", "h11>=0.15"), tmp_path, environ)
    assert found.refused == (("h11>=0.15", why),)


def test_a_package_that_would_take_the_place_of_theirs_is_refused(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    said = sentence(wanted(python, "gunicorn>=25"), tmp_path, {**environ, "FIRST": "sys.argv.append(0); words.append('h11==9')"})
    assert said.endswith(": h11 0.14.0 is installed beside the app, and another would take its place")


def test_an_index_that_was_not_reached_says_nothing_of_a_requirement(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    said = sentence(wanted(python, "gunicorn>=25", "rloop"), tmp_path, {**environ, "FIRST": UNREACHED})
    assert said.endswith(": No matching distribution found for rloop; the package index could not be reached")


def test_no_setting_of_pip_sends_elsewhere_what_is_installed(tmp_path: Path, theirs: Interpreter) -> None:
    python, environ = made_with(tmp_path, theirs)
    told = "open(os.environ['LOG'], 'a').write(repr([name for name in os.environ if name.startswith('PIP_')]))"
    settings = {"FIRST": told, "PIP_TARGET": "/t", "PIP_PYTHON": "/p", "PIP_INDEX_URL": "i"}
    made(wanted(python, "gunicorn>=25"), tmp_path, {**environ, **settings})
    assert log(environ)[-1] == "['PIP_INDEX_URL']"


def test_pip_does_it_where_there_is_uv_too_for_uv_does_not_see_what_is_shared(tmp_path: Path, theirs: Interpreter) -> None:
    _, environ = with_uv(tmp_path)
    folder = Path(made(wanted(theirs, "gunicorn>=25"), tmp_path, environ).python).parents[1]
    assert log(environ)[0] == f"uv venv --no-project --python {theirs.real} {folder} --seed"
    assert log(environ)[1].startswith("install --no-input --disable-pip-version-check --constraint ")


def test_an_environment_that_shares_nothing_keeps_its_name(theirs: Interpreter) -> None:
    alone = replace(wanted(theirs), beside=())
    assert len({alone.key, wanted(theirs).key, replace(wanted(theirs), beside=("/elsewhere",)).key}) == 3


def test_what_an_environment_begins_with_is_taken_out_of_it_for_theirs_might_be_another_version(
    tmp_path: Path, theirs: Interpreter
) -> None:
    """uv seeds environments with packages, h11 in this one."""
    _, environ = with_uv(tmp_path)
    uv = tmp_path / "bin" / "uv"
    seeded = (
        f'mkdir "$5/{SITE}/h11-0.16.0.dist-info"; echo "Name: h11\nVersion: 0.16.0" > "$5/{SITE}/h11-0.16.0.dist-info/METADATA"'
    )
    record = f'echo "h11-0.16.0.dist-info/METADATA,," > "$5/{SITE}/h11-0.16.0.dist-info/RECORD"'
    uv.write_text(uv.read_text().replace('make "$4" "$5";;', f'make "$4" "$5"; {seeded}; {record};;'))
    found = made(wanted(theirs, "gunicorn>=25"), tmp_path, environ)
    assert dict(found.versions)["h11"] == "0.14.0"
    assert said(found.python, "import h11; print(h11.WHOSE)") == "theirs"
