"""The known mistakes behind an app that cannot be imported: what is really wrong, and what to type instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from servermatrix.model import App
from servermatrix.suggest import did_you_mean

SOURCE_FOLDERS = ("src", "app", "backend", "server")
UNSET = re.compile(r"Requested setting .* but settings are not configured")
PACKAGES = {  # that are named otherwise than what is imported from them
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "yaml": "PyYAML",
}
BY_ERROR = {
    "SystemExit": "what ends or starts a program belongs behind `if __name__ == '__main__':`",
    "FileNotFoundError": "servers start in an empty folder: name files from __file__ on, or with whole paths",
}


def advice(python: str, app: App, told: Mapping[str, object]) -> tuple[str, str]:
    """Return a sentence (empty: what was raised says it) and what to do next, from what importing an app raised."""
    error, text, name = str(told["error"]), str(told["text"]), str(told["name"])
    module, _, attribute = app.target.partition(":")
    if error == "ModuleNotFoundError" and f"{module}.".startswith(f"{name}."):
        return _no_such_module(app, name)
    if error == "ModuleNotFoundError" and name:
        return _lacking(python, app, name)
    if error == "ImportError" and "relative import" in text:
        place = _as_package(Path(app.folder), module, attribute)
        return f"{module} is part of a package, and imports from it: {text}", place
    return "", _by_error(error, text, told)


def _by_error(error: str, text: str, told: Mapping[str, object]) -> str:
    last = told.get("last")
    if "DJANGO_SETTINGS_MODULE" in text or UNSET.search(text):
        return "name the settings, as in --env DJANGO_SETTINGS_MODULE=mysite.settings"
    if error == "KeyError" and isinstance(last, list) and str(next(iter(last), "")).endswith(("<frozen os>", "/os.py")):
        return f"the app wants a variable: give it with --env {text.strip(chr(39))}=VALUE, or with --env-file FILE"
    if error == "ValidationError" and str(told.get("package", "")).startswith("pydantic"):
        return "where these are settings, give them with --env NAME=VALUE, or with --env-file FILE"
    if "running event loop" in text:
        return "start nothing asynchronous at import; do it in the lifespan of the app"
    return BY_ERROR.get(error) or "mend the app; its own traceback says where"


def _no_such_module(app: App, name: str) -> tuple[str, str]:
    """Say which part of the target is not there, what is near it, and whether it is in a folder beside."""
    folder, module = Path(app.folder), app.target.partition(":")[0]
    parent, _, part = name.rpartition(".")
    inside = folder.joinpath(*parent.split(".")) if parent else folder
    there = sorted(set(_modules(inside)))
    sentence = f"there is no module {name} in {folder}{did_you_mean(part, there)}"
    for found in (*(folder / each for each in SOURCE_FOLDERS), folder.parent):
        if _has(found, module):
            return sentence, f"{module} is in {found}: add --app-dir {found}"
    if parent and there:
        return sentence, f"name one that is there: {', '.join(f'{parent}.{each}' for each in there[:8])}"
    shown = f"there are {', '.join(there[:8])}" if there else "there is none"
    return sentence, f"name the folder that {module.partition('.')[0]} is in with --app-dir DIR; {shown} in {inside}"


def _lacking(python: str, app: App, name: str) -> tuple[str, str]:
    """Say that the app needs a module which is not installed, or which is there under the name of its package."""
    module, _, attribute = app.target.partition(":")
    inside = Path(app.folder).joinpath(*module.split(".")[:-1])
    sentence = f"{module} needs the module {name}, which this Python does not have"
    if inside != Path(app.folder) and _has(inside, name):
        return (
            sentence,
            f"{name} is in {inside}: name the app from there, --app {module.rpartition('.')[2]}:{attribute} --app-dir {inside}",
        )
    top = name.partition(".")[0]
    return sentence, f"type: {python} -m pip install {PACKAGES.get(top, top)}; or name the interpreter that has it with --python"


def _as_package(folder: Path, module: str, attribute: str) -> str:
    """Say how an app is named that is part of the package which its folder is, or is in."""
    root = folder
    while (root.parent / "__init__.py").exists():
        root = root.parent
    named = ".".join((*folder.relative_to(root.parent).parts, module))
    return f"name it with its package: --app {named}:{attribute} --app-dir {root.parent}"


def _has(folder: Path, module: str) -> bool:
    """Tell whether a module can be imported from a folder."""
    place = folder.joinpath(*module.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _modules(folder: Path) -> Iterator[str]:
    """Name what can be imported from a folder."""
    if folder.is_dir():
        for each in folder.iterdir():
            if each.suffix == ".py" and each.stem.isidentifier() and each.stem != "__init__":
                yield each.stem
            elif each.is_dir() and each.name.isidentifier() and any(each.glob("*.py")):
                yield each.name
