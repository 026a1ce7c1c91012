"""Ports for the servers that tests start: each given once, and none that the system could give to somebody's connection."""

import secrets
import socket

FIRST, PAST = 20_000, 32_000
"""Linux takes from 32768 on for connections, macOS from 49152 on: what was free there a moment ago may be taken by now."""
_given: set[int] = set()


def free_port() -> int:
    """One that nobody listens on; other processes that test choose by chance too, out of twelve thousand."""
    while True:
        port = FIRST + secrets.randbelow(PAST - FIRST)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
