"""sleep.py written for WSGI: a worker that runs on gevent makes of this sleep one that lets others go on."""

import time

SLEEP_S = 0.010
BODY = [b"slept"]


def app(environ, start_response):
    """Wait, then answer."""
    time.sleep(SLEEP_S)
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "5")])
    return BODY
