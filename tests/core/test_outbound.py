"""A POST to somebody else's server: where it goes, how long it takes at most, how much is read."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from codyverse.core import outbound
from codyverse.core.addresses import Reach, Refused
from codyverse.core.outbound import NoAnswer, Patience, post
from tests.receiver import Receiver, receiver, status

LOOPBACK = Reach((ip_network("127.0.0.0/8"),), https_only=False)
SHORT = Patience(0.5, 0.5)
LONG_SECONDS = 60
"""What none of these tests may take, however busy the machine is; unbounded, they would not end."""
LONG = Patience(LONG_SECONDS, LONG_SECONDS)


@pytest.fixture
def other() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def test_what_arrives(other: Receiver) -> None:
    assert post(f"{other.url}?a=1", b'{"x":1}', {"X-Proof": "yes"}, LOOPBACK) == 204
    [got] = other.got
    assert (got.path, got.body) == ("/hook?a=1", b'{"x":1}')
    assert got.headers == {
        "host": f"127.0.0.1:{other.port}",
        "content-length": "7",
        "connection": "close",
        "x-proof": "yes",
    }


def test_a_private_address_is_not_called(other: Receiver) -> None:
    with pytest.raises(Refused):
        post(other.url, b"", {}, Reach(https_only=False))
    assert other.got == []


def test_a_redirect_is_an_answer_and_is_not_followed(other: Receiver) -> None:
    with receiver() as private:
        other.usual = status(307, Location=private.url)
        assert post(other.url, b"", {}, LOOPBACK) == 307
        assert private.got == []


def test_no_proxy_of_the_environment_is_asked(other: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert post(other.url, b"", {}, LOOPBACK) == 204
        assert proxy.got == []


def test_a_name_that_changes_its_mind_leads_where_it_was_checked(
    other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked first, the name has an address that is allowed; asked again, one that is not, with a server behind it."""
    with receiver("127.0.0.2") as trap:
        answers = ["127.0.0.1", "127.0.0.2"]
        asked: list[str] = []
        real = socket.getaddrinfo

        def look(name: str, port: int, *args: int, **more: int) -> object:
            if name != "rebinding.example.org":
                return real(name, port, *args, **more)
            asked.append(name)
            return real(answers[min(len(asked), 2) - 1], port, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", look)
        only_one = Reach((ip_network("127.0.0.1/32"),), https_only=False)
        url = f"http://rebinding.example.org:{other.port}/"
        assert post(url, b"", {}, only_one) == 204
        assert asked == ["rebinding.example.org"]
        assert trap.got == []
        with pytest.raises(Refused):
            post(url, b"", {}, only_one)
        assert len(other.got) == 1


def test_the_next_address_is_tried_when_one_refuses(other: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    both = (ip_address("127.0.0.9"), ip_address("127.0.0.1"))
    monkeypatch.setattr(Reach, "addresses", lambda _self, _target: both)
    assert post(other.url, b"", {}, LOOPBACK) == 204


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def drips_a_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(202)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    drip(handler, b"x")


def drips_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(handler, b"x")


def drip(handler: BaseHTTPRequestHandler, what: bytes) -> None:
    while True:
        handler.wfile.write(what)
        handler.wfile.flush()
        time.sleep(0.05)


def hangs_up(_handler: BaseHTTPRequestHandler) -> None:
    """Without a word."""


def says_nothing(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read(1)


def says(raw: bytes) -> object:
    return lambda handler: handler.wfile.write(raw)


@pytest.mark.parametrize(
    ("answer", "code", "patience"), [(endless, 200, LONG), (drips_a_body, 202, Patience(5, 5))]
)
def test_of_a_huge_or_slow_answer_only_the_status_counts(
    other: Receiver, answer: object, code: int, patience: Patience
) -> None:
    other.usual = answer  # type: ignore[assignment]
    began = time.monotonic()
    assert post(other.url, b"", {}, LOOPBACK, patience) == code
    assert time.monotonic() - began < LONG_SECONDS


@pytest.mark.parametrize("answer", [drips_headers, says_nothing])
def test_whoever_does_not_answer_in_time_is_cut_off(other: Receiver, answer: object) -> None:
    other.usual = answer  # type: ignore[assignment]
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"No answer within 0\.5 seconds\."):
        post(other.url, b"", {}, LOOPBACK, SHORT)
    assert time.monotonic() - began < LONG_SECONDS


@pytest.mark.parametrize(
    "raw",
    [
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http(other: Receiver, raw: bytes) -> None:
    other.usual = says(raw)  # type: ignore[assignment]
    with pytest.raises(NoAnswer, match=r"What came back is not HTTP\."):
        post(other.url, b"", {}, LOOPBACK)


def test_whoever_hangs_up(other: Receiver) -> None:
    other.usual = hangs_up
    with pytest.raises(NoAnswer, match=r"The connection broke off\."):
        post(other.url, b"", {}, LOOPBACK)


def test_nobody_there() -> None:
    with pytest.raises(NoAnswer, match=r"Nobody accepts a connection there\."):
        post("http://127.0.0.1:9999/", b"", {}, LOOPBACK)


def test_no_thread_and_no_connection_is_left_behind(other: Receiver) -> None:
    for _ in range(5):
        post(other.url, b"", {}, LOOPBACK)
    assert not [each for each in threading.enumerate() if isinstance(each, threading.Timer)]


# --- TLS ---


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for a name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = timedelta(days=1)
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - day)
        .not_valid_after(today + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def behind_tls(file: Path) -> Iterator[int]:
    """A server that answers 204 over TLS, to one caller after the other; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(line, server_side=True) as safe:
                        got = b""
                        while not got.endswith(b"\r\n\r\n{}") and (more := safe.recv(65536)):
                            got += more
                        safe.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                except OSError:
                    line.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name leads to loopback."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _name, port, *args, **more: real("127.0.0.1", port, *args, **more)
    )


def test_the_certificate_is_checked_against_the_name(
    tmp_path: Path, named: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, "hook.example.org")
    trust = ssl.create_default_context(cafile=str(file))
    with behind_tls(file) as port:
        with pytest.raises(NoAnswer, match="The certificate is not valid: self-signed certificate"):
            post(f"https://hook.example.org:{port}/", b"", {}, LOOPBACK)
        monkeypatch.setattr(outbound, "_trust", lambda: trust)
        assert post(f"https://hook.example.org:{port}/", b"{}", {}, LOOPBACK) == 204
        with pytest.raises(NoAnswer, match="The certificate is not valid: Hostname mismatch"):
            post(f"https://other.example.org:{port}/", b"", {}, LOOPBACK)


def test_whoever_talks_no_tls(named: None, other: Receiver) -> None:
    with pytest.raises(NoAnswer, match="TLS could not be agreed on"):
        post(f"https://hook.example.org:{other.port}/", b"", {}, LOOPBACK)


def test_whoever_stalls_while_tls_is_agreed_on(named: None) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(NoAnswer, match="No answer within"):
        post(f"https://hook.example.org:{silent.getsockname()[1]}/", b"", {}, LOOPBACK, SHORT)
