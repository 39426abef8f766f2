"""What a server finds around it when it starts: its environment variables and the files in its folder."""

from __future__ import annotations

import os
from pathlib import Path

from servermatrix.contracts import Launch, Server
from servermatrix.measure.certificate import Certificate, write_certificate
from servermatrix.measure.failure import StepFailure
from servermatrix.measure.process import scrubbed_environment
from servermatrix.model import App, Cause

MODULE_PATH = "PYTHONPATH"


def environment(app: App, server: Server, launch: Launch) -> dict[str, str]:
    """Return the variables of a start: the kept ones, the app's, and over them what makes the server what its label says."""
    return scrubbed_environment({**of_app(app), **server.env(launch)})


def of_app(app: App) -> dict[str, str]:
    """Return the variables that an app is given, its folder first among those that modules are looked for in."""
    given = dict(app.env)
    paths = os.pathsep.join(filter(None, (app.folder, given.get(MODULE_PATH))))
    return {**given, MODULE_PATH: paths}


def write_files(server: Server, launch: Launch, certificate: Certificate | None) -> None:
    """Write what the server reads into its folder; StepFailure where the certificate cannot be written."""
    for name, text in server.files(launch).items():
        (Path(launch.folder) / name).write_text(text)
    if launch.encrypted and certificate is not None:
        try:
            write_certificate(certificate, launch)
        except OSError as error:
            raise StepFailure(Cause.ENVIRONMENT, f"the certificate could not be written: {error}", fatal=True) from error
