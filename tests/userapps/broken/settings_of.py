"""Reads settings, and fails over one that is missing."""


def read(name):
    """Return a setting."""
    settings = {"host": "localhost"}
    if name not in settings:
        raise LookupError(f"there is no setting {name!r}")
    return settings[name]
