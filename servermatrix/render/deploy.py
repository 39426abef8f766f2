"""A measured cell as something to deploy: the command to paste, and the files of those who start servers."""

from __future__ import annotations

import re

from servermatrix.analysis.phrases import joined
from servermatrix.model import ENCRYPTED, App, Deployed, PlannedCell, Proof, RunHeader
from servermatrix.render.deploy_docker import Image, compose, dockerfile
from servermatrix.render.deploy_systemd import UNIT, Service, unit
from servermatrix.render.table import plain, shell_line

# Every start that is measured listens here; what is deployed is to be reached from outside.
MEASURED_HOST, HOST = "127.0.0.1", "0.0.0.0"  # noqa: S104 - it is what a server behind a firewall or in a container needs
# What the names of files begin with that are written into the work folder of a measured start, and are gone after it.
PASSING = "cell_"

File = tuple[str, str, str]


def deployed(header: RunHeader, planned: PlannedCell, *, proof: Proof | None = None) -> Deployed:
    """Make of a planned cell what was measured, but for host, port and interpreter.

    With the `proof` of the cell the versions are those that its server said it had, else what the header knows of them.
    """
    argv, app = command(planned), _app(header, planned)
    names = tuple(name for name, _ in app.env) if app else ()
    encrypted = planned.cell.protocol in ENCRYPTED
    image = Image(argv=argv, python=_python(header, proof), packages=packages(header, planned, proof), names=names)
    description = plain(f"{app.target if app else planned.cell.app} on {planned.cell.server}")
    service = Service(argv=argv, description=description, names=names)
    return Deployed(
        cell_id=planned.cell.id,
        argv=argv,
        env=names,
        files=(
            *_settings(planned, argv),
            (UNIT, unit(service), _of_unit(names, encrypted=encrypted)),
            ("Dockerfile", dockerfile(image), _of_image(names)),
            ("compose.yaml", compose(image, encrypted=encrypted), _of_compose(names, encrypted=encrypted)),
        ),
    )


def command(planned: PlannedCell) -> tuple[str, ...]:
    """Return the command to paste: by options alone where these are enough, else with the file of settings."""
    words = planned.settings_argv if planned.settings_argv and _needs_files(planned) else planned.argv
    return _reachable(words)


def packages(header: RunHeader, planned: PlannedCell, proof: Proof | None) -> tuple[str, ...]:
    """List what the server was made of, as requirements; where nothing is proven, what its options and files name of it."""
    versions = dict(header.versions if proof is None else proof.versions)
    named = _named(planned)
    names = {planned.cell.server} | {name for name in versions if proof or name.replace("-", "_") in named}
    return tuple(f"{name}=={versions[name]}" if name in versions else name for name in sorted(names))


def _named(planned: PlannedCell) -> set[str]:
    """Collect the words of the options and settings, among them the names of packages."""
    texts = (*(value for _, value in planned.cell.options), *(text for _, text in planned.settings))
    return set(re.findall(r"\w+", " ".join(texts)))


def _needs_files(planned: PlannedCell) -> bool:
    """Tell whether the command names a file, or a module, that was written for the measured start alone."""
    return any(PASSING in word.rpartition("/")[2] for word in planned.argv[1:])


def _reachable(argv: tuple[str, ...]) -> tuple[str, ...]:
    return ("python", *(word.replace(MEASURED_HOST, HOST) for word in argv[1:])) if argv else ()


def _app(header: RunHeader, planned: PlannedCell) -> App | None:
    return next((app for app in header.apps if app.name == planned.cell.app), None)


def _python(header: RunHeader, proof: Proof | None) -> str:
    """Return the Python that the server ran in, `3.11`."""
    return ".".join((proof.python if proof else header.host.python).split(".")[:2])


def _settings(planned: PlannedCell, argv: tuple[str, ...]) -> tuple[File, ...]:
    """List the files of settings, and say what each is for."""
    other = _reachable(planned.settings_argv)
    if other == argv:
        comment = "The command needs it in the folder that it is started in, which is that of the app."
    else:
        comment = f"Beside the app it takes the place of the options: {shell_line(other)} starts the same."
    return tuple((name, text.replace(MEASURED_HOST, HOST), comment) for name, text in planned.settings)


def _of_unit(names: tuple[str, ...], *, encrypted: bool) -> str:
    more = f", and what {joined(names)} {'are' if len(names) > 1 else 'is'} into /etc/app.env" if names else ""
    key = " with certificate.pem and key.pem" if encrypted else ""
    return (
        "For systemd: put it into /etc/systemd/system, the app into /srv/app"
        f"{key}, its virtual environment into /srv/app/.venv{more}; then systemctl enable --now app starts it."
    )


def _of_image(names: tuple[str, ...]) -> str:
    more = "".join(f" --env {name}" for name in names)
    return (
        f"In the folder of the app: docker build -t app . and docker run -p 8000:8000{more} app; "
        "add what the app itself needs, and keep secrets out of the image by a .dockerignore."
    )


def _of_compose(names: tuple[str, ...], *, encrypted: bool) -> str:
    more = f", with {joined(names)} from the shell or a file .env" if names else ""
    key = "with certificate.pem and key.pem, " if encrypted else ""
    return f"Beside the Dockerfile, {key}docker compose up --build starts it{more}."
