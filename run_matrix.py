"""Start servermatrix: make its virtual environment when missing or stale, then hand over; runs on 3.6 as far as a sentence."""

import fcntl
import hashlib
import os
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE, AGAIN = Path(__file__).resolve().parent, " ".join(map(shlex.quote, [Path(sys.executable).name, *sys.argv]))
VENV, THIS = Path(os.environ.get("SERVERMATRIX_VENV") or str(HERE / ".venv")).absolute(), os.path.realpath(sys.executable)
PYTHON, STAMP, UV = str(VENV / "bin" / "python"), VENV / ".servermatrix-stamp", shutil.which("uv")


def stop(sentence: str, to_type: str) -> None:
    """End as unfit (3), with what is wrong and what to type."""
    print(f"error: {sentence}\ntype:  {to_type}", file=sys.stderr)
    sys.exit(3)


def newer_python() -> str:
    """Return what to type to start with a newer Python: one that is here and works, else how to get one."""
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        if shutil.which(name) and not subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL):
            return f"{name} {AGAIN.partition(' ')[2]}"
    get = "brew install python@3.13" if sys.platform == "darwin" else "sudo apt install python3.11"
    return f"uv run --no-project --python 3.13 {AGAIN.partition(' ')[2]}" if UV else get


def run(*argv: object) -> None:
    """Run one command of the set-up; stop with its last word when it fails."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["no reason given"]
    if done.returncode and argv[2] == "venv" and any("ensurepip" in line or "No module named" in line for line in lines):
        stop("this Python cannot make virtual environments.", f"sudo apt install python3.{sys.version_info[1]}-venv")
    last = ([line for line in lines if line.startswith("ERROR")] or lines)[-1]
    if done.returncode:
        stop(f"set-up failed: {last}", f"{AGAIN}   (again, once a Python package index can be reached)")


def set_up(stamp: str, extra: str) -> None:
    """Make the environment and install into it; the stamp comes last, so that whatever is interrupted is done again."""
    print(f"setting up {VENV}: only this once, it may take a minute or two", file=sys.stderr)
    if os.path.lexists(PYTHON) and os.path.realpath(PYTHON) != THIS:
        if not STAMP.exists():
            stop(f"{VENV} belongs to another Python and was not made by servermatrix.", f"rm -r {shlex.quote(str(VENV))}")
        shutil.rmtree(str(VENV))
    VENV.mkdir(parents=True, exist_ok=True)
    STAMP.write_text("unfinished")
    run(*([UV, "venv", "--allow-existing", "--python", THIS, VENV] if UV else [THIS, "-m", "venv", VENV]))
    install = [UV, "pip", "install", "--compile", "--python", PYTHON] if UV else [PYTHON, "-m", "pip", "install", "--no-input"]
    run(*install, "-q", "-c", HERE / "constraints.txt", "-e", f"{HERE}{extra}")
    STAMP.write_text(stamp)


def main(args: "list[str]") -> None:
    """Set up unless what is there fits the requirements, the interpreter and the place; then become servermatrix."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the start must explain itself to older ones
        stop("servermatrix needs Python 3.11 or newer; this is {}.{}.{}.".format(*sys.version_info), newer_python())
    if os.environ.get("RUN_MATRIX_NO_BOOTSTRAP") == "1":
        runpy.run_module("servermatrix", run_name="__main__")  # ends the program by itself
    facts = [(HERE / name).read_text() for name in ("pyproject.toml", "constraints.txt")] + [sys.version, THIS, str(HERE)]
    extra = "[full,dev]" if args[:1] == ["selftest"] else "[full]" if {"verify", "full", "--profile=full"} & set(args) else ""
    stamp = f"{hashlib.sha256(repr(facts).encode()).hexdigest()} {extra}"
    try:
        fcntl.flock(os.open(str(HERE), os.O_RDONLY), fcntl.LOCK_EX)  # of two starts at once one waits; exec lets go of it
        if not (os.access(PYTHON, os.X_OK) and STAMP.exists() and STAMP.read_text().startswith(stamp.rstrip("]"))):
            set_up(stamp, extra)
    except OSError as error:
        stop(f"cannot make {VENV}: {error.strerror}.", f"SERVERMATRIX_VENV=DIR {AGAIN}   (or start a copy in a writable place)")
    except KeyboardInterrupt:
        sys.exit(130)
    os.execv(PYTHON, [PYTHON, "-P", "-m", "servermatrix", *args])


if __name__ == "__main__":
    main(sys.argv[1:])
