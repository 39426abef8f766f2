"""A server that misbehaves on purpose: `stub_server.py PORT MODE [ARGUMENT]`; stands in for real ones in fault tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def listen(port: int, *, shared: bool = False) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(("127.0.0.1", port))
    server.listen(256)
    return server


def answer(connection: socket.socket, reply: bytes = ANSWER, *, close: bool = False) -> None:
    with connection:
        try:
            while connection.recv(4096):
                connection.sendall(reply)
                if close:
                    return
        except OSError:
            return


def serve(server: socket.socket, *, reply: bytes = ANSWER, close: bool = False) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer, args=(connection, reply), kwargs={"close": close}, daemon=True).start()


def after(seconds: float, action: object) -> None:
    assert callable(action)
    threading.Timer(seconds, action).start()


def flood() -> None:
    line = "x" * 1023 + "\n"
    while True:
        sys.stdout.write(line * 1024)
        sys.stdout.flush()
        time.sleep(0.01)


def worker_dies(port: int, seconds: float) -> None:
    """Serve from a child that dies during the load while the parent lives on and serves as well."""
    server = listen(port)
    if os.fork() == 0:
        after(seconds, lambda: os._exit(1))
        serve(server)
    serve(server)


def main() -> None:
    port, mode = int(sys.argv[1]), sys.argv[2]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    if mode == "exits":
        raise SystemExit(int(seconds))
    if mode == "respawns":
        while True:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.1)"])
            time.sleep(0.05)
    if mode == "worker-dies":
        worker_dies(port, seconds)
    if mode == "dies":
        after(seconds, lambda: os._exit(0))
    if mode == "floods":
        threading.Thread(target=flood, daemon=True).start()
    if mode == "errors-later":
        begin = time.monotonic()
        server = listen(port)
        while True:
            connection, _ = server.accept()
            late = time.monotonic() - begin > seconds
            reply = ANSWER.replace(b"200 OK", b"500 Oh") if late else ANSWER
            threading.Thread(target=answer, args=(connection, reply), daemon=True).start()
    serve(listen(port, shared=mode == "shared"), close=mode == "read-close")


if __name__ == "__main__":
    main()
