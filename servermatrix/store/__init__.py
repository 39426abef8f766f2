"""Runs as they are kept: run files, their folders and their names; it measures nothing and renders nothing."""

from servermatrix.store.attribution import read_attribution, write_attribution
from servermatrix.store.folder import check_room, locked, publish, write_report
from servermatrix.store.run_file import RUN_FILE, RunWriter, assemble, find_run, new_run_id, open_run, read_run, reopen_run

__all__ = [
    "RUN_FILE",
    "RunWriter",
    "assemble",
    "check_room",
    "find_run",
    "locked",
    "new_run_id",
    "open_run",
    "publish",
    "read_attribution",
    "read_run",
    "reopen_run",
    "write_attribution",
    "write_report",
]
