"""What may not stand in a setting that is an address: of a page, a database, a Valkey, a mail server.

Each check returns the address in its normal form, or raises ValueError with what is wrong, as the sentence goes on after the
name; what may hold a password is not repeated in it. Nobody is asked: what does not answer is found by `flask doctor`.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn
from sqlalchemy.dialects.postgresql import psycopg2 as dialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

NO_PORT = "names a port that there is not, for ports go from 1 to 65535"


def _parts(value: str) -> SplitResult:
    """An address in its parts, with a port that can be one if it names any."""
    try:
        parts = urlsplit(value)
    except ValueError as fault:
        raise ValueError("cannot be read as an address") from fault
    if re.search(r"[\s*]", parts.hostname or ""):
        raise ValueError("names a host that there cannot be")
    try:
        if parts.port != 0:
            return parts
    except ValueError as fault:
        raise ValueError(NO_PORT) from fault
    raise ValueError(NO_PORT)


def _leads_to_a_host(value: str, *schemes: str) -> bool:
    """Whether this is an address of one of these schemes, with a host, and with a port that can be one if it names any."""
    try:
        parts = _parts(value)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname)


def postgresql(value: str) -> str:
    """With the driver's name in it."""
    head, separator, rest = value.partition("://")
    if not separator or head not in ("postgres", "postgresql", "postgresql+psycopg2"):
        raise ValueError("is not the address of a PostgreSQL, the only database that Cody Verse runs on")
    url = f"postgresql+psycopg2://{rest}"
    try:
        made = make_url(url)
        words = _libpq_words(made)
    except (ArgumentError, ValueError) as fault:
        raise ValueError("cannot be read as an address") from fault
    if made.port is not None and not 1 <= made.port <= 65_535:
        raise ValueError(NO_PORT)
    try:
        make_dsn(**words)
    except ProgrammingError as fault:
        raise ValueError("names an option that PostgreSQL does not know") from fault
    return url


def _libpq_words(url: URL) -> dict[str, Any]:
    _, words = dialect.dialect().create_connect_args(url)  # type: ignore[no-untyped-call]
    return dict(words)


def replica_urls(value: str) -> str:
    """Each of them."""
    return " ".join(postgresql(each) for each in value.split())


def oidc_issuer(value: str) -> str:
    """As the provider calls itself, to the letter."""
    parts = _parts(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is no issuer")
    if "@" in parts.netloc:
        raise ValueError("holds a user or a password, which is shown to people who sign in")
    return value


def redis_url(value: str) -> str:
    """Over TCP, with or without encryption, or a socket."""
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("is not the address of a Valkey or Redis")
    _understood_by_redis(value)
    return value


def _understood_by_redis(value: str) -> None:
    """Its parts, and what stands behind a question mark, as the driver reads them; nobody is asked."""
    parts = _parts(value)
    if parts.scheme == "unix" and not parts.path.strip("/"):
        raise ValueError("names no socket")
    from redis import Redis, RedisError  # is loaded only where there is one

    try:
        Redis.from_url(value).connection_pool.make_connection()
    except (RedisError, TypeError, ValueError) as fault:
        raise ValueError("has something behind the question mark that cannot be used") from fault


def alert_webhook_url(value: str) -> str:
    """Any web address."""
    if not _leads_to_a_host(value, "http", "https"):
        raise ValueError("is not a web address")
    return value


def smtp_url(value: str) -> str:
    """With STARTTLS where the server offers it, or encrypted from the start."""
    if not _leads_to_a_host(value, "smtp", "smtps"):
        raise ValueError("is not the address of a mail server")
    return value


def ratelimit_storage_uri(value: str) -> str:
    """In the spelling of the `limits` library."""
    if value and not value.startswith(("memory://", "redis://", "rediss://", "redis+unix://")):
        raise ValueError("names a storage that Cody Verse does not use")
    if value and not value.startswith("memory://"):
        _understood_by_redis(value.removeprefix("redis+") if value.startswith("redis+unix://") else value)
    return value


def base_url(value: str) -> str:
    """Scheme, host and perhaps a port: what every link in a mail begins with."""
    parts = _parts(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value)):
        raise ValueError("is not a web address")
    if "@" in parts.netloc:
        raise ValueError("holds a user or a password, which every link in a mail would show")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("has something behind the host, where nothing may stand")
    return value.rstrip("/")


def asset_url(value: str) -> str:
    """Without a slash at its end."""
    parts = _parts(value)
    plain = re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", value)
    if value and (not plain or not parts.hostname):
        raise ValueError("is not the address of a folder of files")
    return value.rstrip("/")


def cors_origins(value: str) -> str:
    """Separated by one space."""
    for each in value.split():
        if "@" in each:
            raise ValueError("holds a user or a password, which no site's address has")
        parts = _parts(each)
        plain = re.fullmatch(r"[a-z0-9.-]+|\[[0-9a-f:]+\]", (parts.hostname or ""))
        if parts.scheme not in ("http", "https") or not plain or parts.path or parts.query:
            raise ValueError(f"names {each}, which is no site's address")
    return " ".join(value.split())
