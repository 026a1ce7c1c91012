"""Handing mails to a mail server: timeouts, short retries, and whether a refusal is for good."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import stamina

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CONNECT_TRIES = 3


class NotSent(Exception):
    """The mail server did not take a mail; `for_good` if trying again is no use."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


class NoMailServer(Exception):
    """The mail server cannot be reached, or does not let us in."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed over: `tls` from the first byte, or else by STARTTLS where it is offered."""

    host: str
    port: int
    tls: bool
    user: str
    password: str
    timeout: float

    @classmethod
    def at(cls, url: str, timeout: float) -> "MailServer":
        """From an address like smtp://user:password@host:587 or smtps://host; the timeout in seconds."""
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or (465 if tls else 25),
            tls=tls,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            timeout=timeout,
        )

    @contextmanager
    def connection(self) -> Iterator["Connection"]:
        """A connection for some mails. Raises NoMailServer."""
        try:
            client = self._connect()
        except (OSError, smtplib.SMTPException) as fault:
            raise NoMailServer(f"{self.host}:{self.port}: {fault}") from fault
        try:
            yield Connection(client)
        finally:
            try:
                client.quit()
            except (OSError, smtplib.SMTPException):
                client.close()

    def _connect(self) -> smtplib.SMTP:
        """Tries again at once, with growing pauses: whoever waits for a mail does not mind a second."""
        for attempt in stamina.retry_context(
            on=(OSError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError),
            attempts=CONNECT_TRIES,
            wait_initial=0.2,
            wait_max=2,
        ):
            with attempt:
                return self._open()
        raise AssertionError("unreachable")

    def _open(self) -> smtplib.SMTP:
        trust = ssl.create_default_context()
        if self.tls:
            client: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=trust)
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            client.ehlo_or_helo_if_needed()
            safe = self.tls or self.host in LOOPBACK
            if not self.tls and client.has_extn("starttls"):
                client.starttls(context=trust)
                safe = True
            if self.user:
                if not safe:
                    raise smtplib.SMTPNotSupportedError("offers no TLS, and no password is sent without")
                client.login(self.user, self.password)
        except BaseException:
            client.close()
            raise
        return client


class Connection:
    """An open connection to the mail server."""

    def __init__(self, client: smtplib.SMTP) -> None:
        self._client = client

    def send(self, message: EmailMessage) -> None:
        """Hand one mail over. Raises NotSent, and NoMailServer when the connection is gone."""
        try:
            self._client.send_message(message)
        except smtplib.SMTPRecipientsRefused as fault:
            [(code, said), *_] = fault.recipients.values()
            raise NotSent(_plain(code, said), for_good=code >= 500) from fault
        except smtplib.SMTPResponseException as fault:
            raise NotSent(
                _plain(fault.smtp_code, fault.smtp_error), for_good=fault.smtp_code >= 500
            ) from fault
        except smtplib.SMTPServerDisconnected as fault:
            raise NoMailServer(str(fault)) from fault
        except smtplib.SMTPException as fault:
            raise NotSent(str(fault), for_good=True) from fault
        except OSError as fault:
            raise NoMailServer(str(fault)) from fault


def _plain(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
