"""Makes virtual environments and installs into them, with uv where it is on PATH and else with venv and pip."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servermatrix.measure.command import Watcher, plain, run
from servermatrix.measure.interpreters import Interpreter

LIMIT_S = 600.0
SENTENCE_LENGTH = 400
# uv frames what it says, the older ones with lines: a cross, then a branch for each cause.
BEGIN = re.compile("error: |\\s*\N{MULTIPLICATION SIGN} ")
BRANCH = re.compile(r"^\s*[├╰]─▶ ")
FRAME = "│ "
WITHOUT_VENV = re.compile(r"No module named '?(venv|ensurepip)")
UNBUILT = re.compile(r"Failed to build `([^`]+)`|(?:Building wheel for|Failed building wheel for) (\S+)")
UNBUILT_AT_ALL = re.compile(r"Failed to build|did not run successfully|Failed building wheel")
CAUSE = re.compile(r":? (?:cause|Caused by): ")
CONCLUSION = re.compile(r",? we can conclude that your requirements are unsatisfiable\.?$")
UNREACHABLE = "; the package index could not be reached"
FURTHER = re.compile(r"hint:|\[std(?:out|err)\]|help:")


class InstallerFailed(Exception):
    """A step of the installer failed; the text says which and why, in its own telling words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """How commands are run for one environment: what they may see, who ends them, and the locks that they keep.

    `beside` is for an environment that sees the packages of another: pip takes those for installed where uv would install them
    again, and nothing may be written where they are, bytecode for one.
    """

    environ: Mapping[str, str]
    watcher: Watcher | None = None
    held: tuple[int, ...] = ()
    beside: bool = False

    def make(self, python: Interpreter, folder: Path) -> None:
        """Make an empty virtual environment in a folder that is not there yet; InstallerFailed when it cannot be made."""
        uv = self._uv()
        if uv:
            seed = ["--seed"] if self.beside else []
            self._command([uv, "venv", "--no-project", "--python", python.real, str(folder), *seed], "uv venv", folder.parent)
            return
        # In two steps, for venv keeps to itself why pip could not be put into it.
        bare = [python.real, "-I", "-m", "venv", "--without-pip", str(folder)]
        pip = [str(folder / "bin" / "python"), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"]
        for argv, shown in ((bare, "python -m venv"), (pip, "python -m ensurepip")):
            code, text = self._run(argv, shown, folder.parent)
            if code and WITHOUT_VENV.search(text):
                raise InstallerFailed(f"{python.real} has no venv module to make environments with; {self._venv_module(python)}")
            _succeeded(code, text, shown)

    def install(self, folder: Path, requirements: Sequence[str], constraints: Path) -> None:
        """Install all requirements in one command, so that none undoes another; InstallerFailed when that is refused."""
        if not requirements:
            return
        uv, python = None if self.beside else self._uv(), str(folder / "bin" / "python")
        words = ["--constraint", str(constraints), *requirements]
        if uv:
            # The servers write no bytecode: without it here, every start would compile, and only where uv had installed.
            compiled = [uv, "pip", "install", "--python", python, "--compile-bytecode", *words]
            self._command(compiled, "uv pip install", folder)
        else:
            isolated = ["-I", "-B"] if self.beside else ["-I"]
            asked = [python, *isolated, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *words]
            self._command(asked, "pip install", folder)

    def _uv(self) -> str | None:
        return shutil.which("uv", path=self.environ.get("PATH"))

    def _command(self, argv: Sequence[str], shown: str, folder: Path) -> None:
        _succeeded(*self._run(argv, shown, folder), shown)

    def _run(self, argv: Sequence[str], shown: str, folder: Path) -> tuple[int, str]:
        environ = plain(self.environ) | ({"PYTHONDONTWRITEBYTECODE": "1"} if self.beside else {})
        try:
            return run(argv, environ, LIMIT_S, folder, watcher=self.watcher, held=self.held)
        except subprocess.TimeoutExpired as failure:
            raise InstallerFailed(f"{shown} took more than {LIMIT_S:.0f} s") from failure
        except OSError as failure:
            raise InstallerFailed(f"{argv[0]} cannot be started: {failure.strerror}") from failure

    def _venv_module(self, python: Interpreter) -> str:
        """Say how to get the module, which Debian leaves out of Python."""
        if not shutil.which("apt-get", path=self.environ.get("PATH")):
            return "install that module, or uv"
        return f"type: sudo apt install python{'.'.join(python.version.split('.')[:2])}-venv"


def _succeeded(code: int, text: str, shown: str) -> None:
    if code < 0:
        raise InstallerFailed(f"{shown} was ended by {signal.Signals(-code).name}")
    if code:
        raise InstallerFailed(telling(text) or f"{shown} ended with code {code} and printed nothing")


def telling(text: str) -> str:
    """Make one sentence of what uv or pip printed when it failed: empty when it printed nothing."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    said = _unbuilt(lines) or _of_uv(text.splitlines()) or _of_pip(lines) or (lines[-1].strip() if lines else "")
    half = (SENTENCE_LENGTH - 5) // 2  # the cause comes first or last
    return said if len(said) <= SENTENCE_LENGTH else f"{said[:half]} ... {said[-half:]}"


def _unbuilt(lines: list[str]) -> str:
    """Say which package could not be built from source, and the compiler's or build tool's last error."""
    if not any(UNBUILT_AT_ALL.search(line) for line in lines):
        return ""
    names = [match[1] or match[2] for line in lines if (match := UNBUILT.search(line))]
    errors = [line for line in lines if re.match(r"\s{4,}error: ", line)]
    telling_one = ([line for line in lines if "fatal error: " in line] or errors)[-1:]
    why = "".join(f": {line.partition('error: ')[2][:200]}" for line in telling_one)
    return f"{names[-1] if names else 'a package'} could not be built from source{why}"


def _of_uv(lines: list[str]) -> str:
    """Join uv's explanation, which is spread over lines in a frame; what follows it, hints and logs, is left out."""
    begin = next((number for number, line in enumerate(lines) if BEGIN.match(line)), None)
    if begin is None:
        return ""
    bare = [BRANCH.sub("cause: ", BEGIN.sub("", line, count=1)).strip(FRAME) for line in lines[begin:]]
    end = next((number for number, line in enumerate(bare) if not line or FURTHER.match(line)), len(bare))
    said = CAUSE.sub(": ", " ".join(bare[:end]))
    return CONCLUSION.sub("", said.removeprefix("No solution found when resolving dependencies: "))


def _of_pip(lines: list[str]) -> str:
    """Take pip's last error that names something, with the requirements that contradict each other where it lists them."""
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    named = [line for line in errors if not line.startswith(("ResolutionImpossible", "Exception:"))]
    if not named:
        return ""
    begin = next((number for number, line in enumerate(lines) if line.startswith("The conflict is caused by")), len(lines))
    listed = [line.strip() for line in lines[begin + 1 :] if line.startswith("    ")]
    unreachable = UNREACHABLE if any("Retry(total=0," in line for line in lines) else ""
    return f"{named[-1].rstrip('.')}{': ' if listed else ''}{'; '.join(listed)}{unreachable}"
