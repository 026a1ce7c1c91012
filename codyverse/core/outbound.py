"""One POST to a URL that somebody else chose: to a checked address, in bounded time, believing nothing that comes back.

No proxy of the environment is asked, no redirect followed, no connection kept. http.client only writes and reads; the
connection is made here, so that it goes where `Reach` said and nowhere else.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPConnection, HTTPException

from codyverse.core.addresses import Address, Reach, Target

MOST_READ = 4096


class NoAnswer(Exception):
    """Nobody answered, or not in HTTP; the text says what went wrong, in words for the URL's owner."""


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: for one address to accept the connection, and for everything after the lookup of the name."""

    connect: float = 5.0
    whole: float = 10.0


def post(
    url: str, body: bytes, headers: Mapping[str, str], reach: Reach, patience: Patience = Patience()
) -> int:
    """Send `body`; the status of the answer. What the answer says is read up to MOST_READ bytes and thrown away.

    Raises Refused when the URL may not be called (now), and NoAnswer.
    """
    target = reach.target(url)
    addresses = reach.addresses(target)
    ends = time.monotonic() + patience.whole
    line = _connected(addresses, target.port, patience.connect, ends)
    with _bounded(line, ends) as late:
        try:
            line.settimeout(max(0.01, ends - time.monotonic()))
            return _exchange(target, line, body, headers, late)
        except ssl.SSLCertVerificationError as fault:
            raise NoAnswer(f"The certificate is not valid: {fault.verify_message}.") from fault
        except (OSError, HTTPException) as fault:
            if late.is_set() or isinstance(fault, TimeoutError):
                raise NoAnswer(f"No answer within {patience.whole:g} seconds.") from fault
            raise NoAnswer(_said(fault)) from fault


def _connected(addresses: tuple[Address, ...], port: int, seconds: float, ends: float) -> socket.socket:
    """A connection to the first of the addresses that accepts one. Raises NoAnswer."""
    fault: OSError | None = None
    for address in addresses:
        left = ends - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((str(address), port), timeout=min(seconds, left))
        except OSError as refused:
            fault = refused
    raise NoAnswer("Nobody accepts a connection there.") from fault


@contextmanager
def _bounded(line: socket.socket, ends: float) -> Iterator[threading.Event]:
    """Cut the connection when its time is over, whatever trickles in; the event tells that it was cut.

    A timeout of the socket alone would begin anew with every byte. The second handle on the same connection stays valid
    while TLS is put around the first.
    """
    late = threading.Event()
    handle = line.dup()

    def cut() -> None:
        late.set()
        with suppress(OSError):  # it may have ended by itself
            handle.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(max(0.0, ends - time.monotonic()), cut)
    watch.daemon = True
    watch.start()
    try:
        yield late
    finally:
        watch.cancel()
        watch.join()
        handle.close()
        line.close()


def _exchange(
    target: Target,
    line: socket.socket,
    body: bytes,
    headers: Mapping[str, str],
    late: threading.Event,
) -> int:
    if target.scheme == "https":
        line = _trust().wrap_socket(line, server_hostname=target.host)
    talk = HTTPConnection(target.host, target.port)
    talk.sock = line
    try:
        talk.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        own = {"Host": target.authority, "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in (own | dict(headers)).items():
            talk.putheader(name, value)
        talk.endheaders(body)
        answer = talk.getresponse()
        if late.is_set():
            raise TimeoutError  # cut off among the headers, which reads like their end
        with suppress(OSError, HTTPException):  # the status has been said
            answer.read(MOST_READ)
        return answer.status
    finally:
        talk.close()


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's certificate authorities; certificate and name are checked."""
    return ssl.create_default_context()


def _said(fault: OSError | HTTPException) -> str:
    if isinstance(fault, ssl.SSLError):
        return "TLS could not be agreed on."
    if isinstance(fault, HTTPException) and not isinstance(fault, OSError):
        return "What came back is not HTTP."
    return "The connection broke off."
