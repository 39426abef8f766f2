"""The certificate of a run: it holds for the address of the servers, and its key is for nobody else."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix.contracts import Launch
from servermatrix.measure.bench import Bench, launch_of, serving
from servermatrix.measure.certificate import Certificate, make_certificate, write_certificate
from servermatrix.measure.client import exchange
from servermatrix.measure.failure import StepFailure
from servermatrix.model import Cause, Request
from tests.room import guarded, make_bench, make_cell, small_app, small_server
from tests.speakers import at, saying, server_context, speaking

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return make_certificate()


def launch(folder: Path) -> Launch:
    return launch_of(replace(make_cell(), protocol="h1s"), python="py", target="a:b", port=7, folder=str(folder))


def names(certificate: Certificate, folder: Path) -> set[str]:
    """Return the names that the certificate is for, as the standard library reads them from a handshake."""
    context = ssl.create_default_context(cadata=certificate.authority_pem)
    write_certificate(certificate, launch(folder))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with (
        speaking(saying(ANSWER), server) as port,
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        told = connection.getpeercert() or {}
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.recv(100)
    found = told.get("subjectAltName", ())
    return {str(pair[1]) for pair in found if isinstance(pair, tuple)}


def test_the_chain_is_valid_for_the_address_of_the_servers(certificate: Certificate, tmp_path: Path) -> None:
    assert names(certificate, tmp_path) == {"127.0.0.1", "localhost"}
    with speaking(saying(ANSWER), server_context(certificate)) as port:
        assert exchange(at(port, "h1s", certificate), Request(), 5).body == b"ok"


def test_the_key_is_in_the_form_that_every_server_reads(certificate: Certificate) -> None:
    assert certificate.key_pem.startswith("-----BEGIN PRIVATE KEY-----\n")  # PKCS #8; SEC 1 would say EC PRIVATE KEY
    assert certificate.chain_pem.startswith("-----BEGIN CERTIFICATE-----\n")
    assert "PRIVATE" not in certificate.chain_pem + certificate.authority_pem


def test_every_run_has_a_certificate_of_its_own(certificate: Certificate) -> None:
    assert make_certificate().key_pem != certificate.key_pem


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_the_key_whatever_the_umask(certificate: Certificate, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_certificate(certificate, launch(tmp_path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) & 0o077 == 0
    assert (tmp_path / "key.pem").read_text() == certificate.key_pem
    assert (tmp_path / "certificate.pem").read_text() == certificate.chain_pem


def unwritable(folder: Path, case: str) -> Path:
    """Return a folder that no file can be written to."""
    if case == "no folder":
        return folder / "gone"
    if case == "a file":
        (folder / "file").touch()
        return folder / "file"
    (folder / "closed").mkdir(mode=0o500)
    return folder / "closed"


@pytest.mark.parametrize("case", ["no folder", "a file", *(["closed"] if os.geteuid() else [])])  # root may write everywhere
def test_what_cannot_be_written_is_refused_by_the_system(certificate: Certificate, tmp_path: Path, case: str) -> None:
    with pytest.raises(OSError, match="certificate"):
        write_certificate(certificate, launch(unwritable(tmp_path, case)))


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_server_whose_certificate_cannot_be_written_fails_for_its_surroundings_and_is_not_started(
    certificate: Certificate, tmp_path: Path, name: str
) -> None:
    with guarded() as guard:
        bench = with_a_folder_in_the_way(make_bench(tmp_path, guard), name, tmp_path / "started")
        bench = replace(bench, certificate=certificate)
        context = serving(bench, replace(make_cell(), protocol="h1s"), small_app(), tmp_path / "log")
        with pytest.raises(StepFailure) as caught, context:
            pytest.fail("the server was started")
    assert (caught.value.cause, caught.value.fatal) == (Cause.ENVIRONMENT, True)
    assert caught.value.reason.startswith("the certificate could not be written: ")
    assert name in caught.value.reason
    assert not (tmp_path / "started").exists()


def with_a_folder_in_the_way(bench: Bench, name: str, trace: Path) -> Bench:
    """Make the server's own preparation put a folder where a file of the certificate is to be."""

    def files(launch: Launch) -> dict[str, str]:
        (Path(launch.folder) / name).mkdir()
        return {}

    server = replace(small_server(f"open({str(trace)!r}, 'w')"), files=files)
    return replace(bench, servers={"small": server})


@pytest.mark.parametrize(("protocol", "there"), [("h1", False), ("h2c", False), ("h1s", True), ("h2", True)])
def test_only_a_server_that_encrypts_gets_a_certificate(
    certificate: Certificate, tmp_path: Path, protocol: str, *, there: bool
) -> None:
    with guarded() as guard:
        bench = replace(make_bench(tmp_path, guard), certificate=certificate)
        with serving(bench, replace(make_cell(), protocol=protocol), small_app(), tmp_path / "log") as started:
            assert (started.folder / "key.pem").exists() is there
            assert (started.folder / "certificate.pem").exists() is there
            assert started.address.protocol == protocol
            assert started.address.authority_pem == certificate.authority_pem
