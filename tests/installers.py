"""Stand-ins for uv, venv and pip: they make real, bare environments without a network and write down what they were asked."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from servermatrix.measure.interpreters import Interpreter, ask

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
# Writes the metadata of each requirement: the version of ==, else that of the constraints, else 1.0.
INSTALLER = """
import os, pathlib, re, sys
words = sys.argv[1:]
with open(os.environ["LOG"], "a") as log:
    log.write(" ".join(words) + "\\n")
exec(os.environ.get("FIRST", ""))
at = words.index("--constraint")
pinned = dict(line.split("==") for line in open(words[at + 1]).read().split())
for requirement in words[at + 2:]:
    name = re.match("[A-Za-z0-9._-]+", requirement)[0]
    exact = requirement.partition("==")[2]
    folder = pathlib.Path(sys.prefix, SITE, f"{name}.dist-info")
    folder.mkdir(exist_ok=True)
    version = os.environ.get("INSTEAD") or exact or pinned.get(name, "1.0")
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
""".replace("SITE", repr(SITE))
# What a virtual environment is at the least.
MAKE = f"""
make() {{
  mkdir -p "$2/bin" "$2/{SITE}/pip"
  ln -s "$REAL" "$2/bin/python"
  printf 'home = %s\\ninclude-system-site-packages = false\\n' "$(dirname "$REAL")" > "$2/pyvenv.cfg"
  cp "$INSTALLER" "$2/{SITE}/pip/__main__.py"
  echo > "$2/{SITE}/pip/__init__.py"
}}
"""
UV = f"""{MAKE}
eval "$BEFORE"
case "$1" in
  venv) echo "uv $*" >> "$LOG"; make "$4" "$5";;
  pip) shift 3; python="$1"; shift; exec "$python" -I "$INSTALLER" uv pip install "$@";;
esac
"""
# `python -I -m venv --without-pip FOLDER`, and then `FOLDER/bin/python -I -m ensurepip ...`.
BASE = f"""{MAKE}
eval "$BEFORE"
echo "python -m venv $4 $5" >> "$LOG"
make "$0" "$5"
mv "$5/bin/python" "$5/bin/python3"
cp "$WITHOUT_PIP" "$5/bin/python"
"""
WITHOUT_PIP = """
case "$3" in
  ensurepip) echo "python -m ensurepip" >> "$LOG"; eval "$ENSUREPIP";;
  *) exec "${0%/*}/python3" "$@";;
esac
"""


def script(file: Path, text: str) -> Path:
    """Write a shell script that can be started."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    file.chmod(0o755)
    return file


@cache
def real_python() -> Interpreter:
    """Return the interpreter that the tests run on, as the one an environment is made with."""
    found = ask(sys.executable)
    assert isinstance(found, Interpreter), found
    return found


def environment(folder: Path) -> dict[str, str]:
    """An environment whose PATH holds what a test puts into `bin`; FIRST and BEFORE are run by the stand-ins at their start."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "installer.py").write_text(INSTALLER)
    kept = {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}
    without_pip = script(folder / "without-pip", WITHOUT_PIP)
    ours = {"PATH": str(folder / "bin"), "LOG": str(folder / "log"), "INSTALLER": str(folder / "installer.py")}
    return {**kept, **ours, "WITHOUT_PIP": str(without_pip), "REAL": real_python().real}


def with_uv(folder: Path) -> tuple[Interpreter, dict[str, str]]:
    """Put uv on PATH; return the interpreter to ask for and the environment."""
    script(folder / "bin" / "uv", UV)
    return real_python(), environment(folder)


def without_uv(folder: Path) -> tuple[Interpreter, dict[str, str]]:
    """Leave nothing but a Python with venv and pip; return it and the environment."""
    base = script(folder / "opt" / "python", BASE)
    return Interpreter(path=str(base), version=real_python().version, real=str(base)), environment(folder)


def log(environ: dict[str, str]) -> list[str]:
    """Return what the stand-ins were asked, a line each."""
    file = Path(environ["LOG"])
    return file.read_text().splitlines() if file.exists() else []
