"""What uv and pip print when they fail, as real ones printed it, becomes one sentence."""

from __future__ import annotations

import pytest

from servermatrix.measure.installer import SENTENCE_LENGTH, telling

UV_NO_VERSION = """\
Using Python 3.11.7 environment at: u1
error: No solution found when resolving dependencies
  cause: Because there is no version of h11==0.0.0.1 and you require h11==0.0.0.1,
         we can conclude that your requirements are unsatisfiable.
"""
UV_FRAMED = """\
  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:
  ╰─▶ Because there is no version of h11==0.0.0.1 and you require
      h11==0.0.0.1, we can conclude that your requirements are
      unsatisfiable.

      hint: `h11` was found elsewhere
"""
UV_TWO_STEPS = """\
error: No solution found when resolving dependencies
  cause: Because only gunicorn-h1c<=0.6.10 is available and gunicorn[fast]>=27.0.1 depends on gunicorn-h1c
         >=0.6.14, we can conclude that gunicorn[fast]>=27.0.1 cannot be used.
         And because you require gunicorn[fast] and gunicorn==27.0.1, we can conclude that your requirements are unsatisfiable.
"""
UV_OFFLINE = """\
Using Python 3.11.7 environment at: u1
error: Request failed after 3 retries in 11.9s
  cause: Failed to fetch: http://127.0.0.1:9/h2/
  cause: client error (Connect)
  cause: Connection refused (os error 111)
"""
UV_FULL = """\
Resolved 1 package in 10ms
error: Failed to install: h11-0.16.0-py3-none-any.whl (h11==0.16.0)
  Caused by: failed to write to file `h11/x.py`
  Caused by: No space left on device (os error 28)
"""
UV_NO_COMPILER = """\
   Building gunicorn-h1c==0.6.10
error: Failed to build `gunicorn-h1c==0.6.10`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stdout]
         running bdist_wheel

         [stderr]
         warning: build_py: byte-compiling is disabled, skipping.

         error: command 'gcc' failed: No such file or directory

hint: Build failures usually indicate a problem with the package or the build environment
"""
UV_FRAMED_BUILD = """\
  \N{MULTIPLICATION SIGN} Failed to build `gunicorn-h1c==0.6.10`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

      [stderr]
      error: command 'gcc' failed: No such file or directory
"""
PIP_CONFLICT = """\
WARNING: Location is ignored: it is neither a file nor a directory.
ERROR: Cannot install h11==0.0.0.1 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested h11==0.0.0.1
    The user requested (constraint) h11==0.16.0

To fix this you could try to:
1. loosen the range of package versions you've specified
2. remove package versions to allow pip attempt to solve the dependency conflict

ERROR: ResolutionImpossible: for help visit https://example.org/
"""
PIP_NO_VERSION = """\
ERROR: Could not find a version that satisfies the requirement h11==0.0.0.1 (from versions: 0.5.0, 0.16.0)
ERROR: No matching distribution found for h11==0.0.0.1

[notice] A new release of pip is available: 23.2.1 -> 24.2
"""
PIP_OFFLINE = """\
WARNING: Retrying (Retry(total=1, connect=None)) after connection broken by 'NewConnectionError': /h2/
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError': /h2/
ERROR: Could not find a version that satisfies the requirement h2 (from versions: none)
ERROR: No matching distribution found for h2
"""
PIP_FULL = """\
Installing collected packages: h11
ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device

"""
PIP_NO_HEADER = """\
  error: subprocess-exited-with-error
  \N{MULTIPLICATION SIGN} Building wheel for gunicorn_h1c (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> [68 lines of output]
      running bdist_wheel
      src/parser.c:1:10: fatal error: Python.h: No such file or directory
      error: command '/usr/bin/gcc' failed with exit code 1
      [end of output]
  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for gunicorn_h1c
ERROR: Could not build wheels for gunicorn_h1c, which is required to install pyproject.toml-based projects
"""
PIP_CRASH = "ERROR: Exception:\nTraceback (most recent call last):\n  File x\nOSError: [Errno 30] Read-only file system: 'x'\n"
NO_SUCH_H11 = "Because there is no version of h11==0.0.0.1 and you require h11==0.0.0.1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(UV_NO_VERSION, NO_SUCH_H11, id="uv: no such version"),
        pytest.param(UV_FRAMED, NO_SUCH_H11, id="uv: the same, framed, as older ones print it"),
        pytest.param(
            UV_TWO_STEPS,
            "Because only gunicorn-h1c<=0.6.10 is available and gunicorn[fast]>=27.0.1 depends on gunicorn-h1c >=0.6.14, we can "
            "conclude that gunicorn[fast]>=27.0.1 cannot be used. And because you require gunicorn[fast] and gunicorn==27.0.1",
            id="uv: in two steps",
        ),
        pytest.param(
            UV_OFFLINE,
            "Request failed after 3 retries in 11.9s: Failed to fetch: http://127.0.0.1:9/h2/: client error (Connect): "
            "Connection refused (os error 111)",
            id="uv: no network",
        ),
        pytest.param(
            UV_FULL,
            "Failed to install: h11-0.16.0-py3-none-any.whl (h11==0.16.0): failed to write to file `h11/x.py`: "
            "No space left on device (os error 28)",
            id="uv: disk full",
        ),
        pytest.param(
            UV_NO_COMPILER,
            "gunicorn-h1c==0.6.10 could not be built from source: command 'gcc' failed: No such file or directory",
            id="uv: no compiler",
        ),
        pytest.param(
            UV_FRAMED_BUILD,
            "gunicorn-h1c==0.6.10 could not be built from source: command 'gcc' failed: No such file or directory",
            id="uv: no compiler, framed",
        ),
        pytest.param(
            PIP_CONFLICT,
            "Cannot install h11==0.0.0.1 because these package versions have conflicting dependencies: "
            "The user requested h11==0.0.0.1; The user requested (constraint) h11==0.16.0",
            id="pip: conflict",
        ),
        pytest.param(PIP_NO_VERSION, "No matching distribution found for h11==0.0.0.1", id="pip: no such version"),
        pytest.param(
            PIP_OFFLINE,
            "No matching distribution found for h2; the package index could not be reached",
            id="pip: no network",
        ),
        pytest.param(
            PIP_FULL, "Could not install packages due to an OSError: [Errno 28] No space left on device", id="pip: disk full"
        ),
        pytest.param(
            PIP_NO_HEADER,
            "gunicorn_h1c could not be built from source: Python.h: No such file or directory",
            id="pip: no headers of Python",
        ),
        pytest.param(PIP_CRASH, "OSError: [Errno 30] Read-only file system: 'x'", id="pip: a traceback"),
        pytest.param("one\n\n  last words \n\n", "last words", id="something else"),
        pytest.param("\n \n", "", id="nothing"),
    ],
)
def test_the_telling_words_are_one_sentence(text: str, sentence: str) -> None:
    assert telling(text) == sentence


def test_of_a_long_story_the_beginning_and_the_end_are_kept() -> None:
    said = telling(
        f"error: Failed to install: h11\n  cause: {'a very long path ' * 100}\n  cause: No space left on device (os error 28)"
    )
    assert SENTENCE_LENGTH - 1 <= len(said) <= SENTENCE_LENGTH
    assert said.startswith("Failed to install: h11: a very long path ")
    assert said.endswith(": No space left on device (os error 28)")
    assert " ... " in said
