"""What may not stand in a setting, and what may not stand beside what. config.py has the settings themselves.

A check of a value returns it in its normal form, or raises ValueError with what is wrong, as the sentence goes on after
the name. The checks between settings yield whole sentences.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limits import parse_many

import config_addresses as addresses

if TYPE_CHECKING:
    from pydantic import BaseModel

    from config import Settings

_ROOT = Path(__file__).resolve().parent
SHORTEST_SECRET = 32
LONGEST_SHOWN = 200
PLACEHOLDER = re.compile(r"[\s`]|change|secret.?key|example|placeholder|your.?(secret|key)", re.IGNORECASE)
"""What stands where a secret belongs: in a guide, or in a file that nobody has filled in."""


# --- one value ---


def from_checkout(value: Path) -> Path:
    """A relative path starts at the checkout, wherever the command was called."""
    try:
        return (_ROOT / value.expanduser()).resolve()
    except RuntimeError as fault:
        raise ValueError("begins with the home folder of a user that there is not") from fault


def _is_folder(path: Path) -> bool | None:
    """None where nothing is. Raises ValueError where nothing can ever be, as with a name that is too long."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (
        FileNotFoundError,
        NotADirectoryError,
        PermissionError,
    ):  # the doctor looks whether it can be used
        return None
    except OSError as fault:
        raise ValueError(f"cannot be used ({fault.strerror})") from fault


def backup_dir(value: Path) -> Path:
    """A folder, if it is there."""
    found = from_checkout(value)
    if _is_folder(found) is False:
        raise ValueError("is no folder")
    return found


def content_dir(value: Path) -> Path:
    """A folder, if it is there."""
    found = from_checkout(value)
    if _is_folder(found) is False:
        raise ValueError("is not a folder")
    return found


def backup_key_file(value: Path) -> Path:
    """Whether it is there is asked when a backup is made: the site must not wait for it."""
    if _is_folder(value):
        raise ValueError("is a folder")
    return value


def mail_from(value: str) -> str:
    """An address, with a name before it or not."""
    _, address = parseaddr(value)
    local, _, domain = address.partition("@")
    if value and (
        not local or not re.fullmatch(r"[A-Za-z0-9.-]+", domain) or not value.isprintable() or "://" in value
    ):
        raise ValueError("is not a sender")
    return value


def networks(value: str) -> str:
    """Separated by spaces."""
    found = value.replace(",", " ").split()
    for each in found:
        try:
            ip_network(each)
        except ValueError as fault:
            shown = "" if "@" in each else f" ({each})"  # a password may stand there
            raise ValueError(f"has a part that is no network{shown}") from fault
    return " ".join(found)


def rate_limit(value: str) -> str:
    """One or several, of which each lets something through."""
    try:
        limits = parse_many(value)
    except ValueError as fault:
        raise ValueError("is not a rate limit") from fault
    if any(each.amount < 1 for each in limits):
        raise ValueError("is a rate limit that would refuse everybody")
    return value


def host(value: str) -> str:
    """A name or an address, without a port."""
    if not re.fullmatch(r"[\w.:-]+", value):
        raise ValueError("is not a host")
    return value


OF_VALUES: dict[str, Callable[[Any], Any]] = {
    "data_dir": from_checkout,
    "content_dir": content_dir,
    "backup_dir": backup_dir,
    "backup_key_file": backup_key_file,
    "database_url": addresses.postgresql,
    "stream_database_url": addresses.postgresql,
    "replica_urls": addresses.replica_urls,
    "oidc_issuer": addresses.oidc_issuer,
    "redis_url": addresses.redis_url,
    "alert_webhook_url": addresses.alert_webhook_url,
    "smtp_url": addresses.smtp_url,
    "mail_from": mail_from,
    "webhook_networks": networks,
    "metrics_networks": networks,
    "ratelimit_storage_uri": addresses.ratelimit_storage_uri,
    "ratelimit_default": rate_limit,
    "ratelimit_sign_in": rate_limit,
    "ratelimit_sign_in_address": rate_limit,
    "ratelimit_register": rate_limit,
    "ratelimit_export": rate_limit,
    "host": host,
    "base_url": addresses.base_url,
    "asset_url": addresses.asset_url,
    "cors_origins": addresses.cors_origins,
}
"""The check of each setting that has one, by its attribute in `Settings`."""

FAULTS = {
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "is not a whole number",
    "bool_parsing": "is neither true nor false",
    "literal_error": "is not one of the choices",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
}


def sentence(error: Any, values: Mapping[str, str], settings: type[BaseModel]) -> str:
    """One plain sentence for one of pydantic's errors."""
    name = str(error["loc"][0])
    advice = advice_of(name, settings)
    fault = FAULTS.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    hidden = advice["secret"] or ("://" in values[name] and "@" in values[name])  # a password may stand there
    shown = name if hidden else f"{name}={_shown(values[name])}"
    return f"{shown} {fault}: write {advice['write']}."


def _shown(value: str) -> str:
    """On one line, and no longer than helps to find it."""
    plain = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value)
    return plain if len(plain) <= LONGEST_SHOWN else f"{plain[:LONGEST_SHOWN]}…"


def between(settings: Settings) -> Iterator[str]:
    """What is wrong although each setting alone is right."""
    if settings.pool_max < settings.pool_size:
        yield f"POOL_MAX={settings.pool_max} is less than POOL_SIZE={settings.pool_size}: write at least as much."
    if settings.pool_max < settings.web_threads:
        yield (
            f"POOL_MAX={settings.pool_max} is less than WEB_THREADS={settings.web_threads}: write at least as much, "
            "for each thread may need a connection."
        )
    if settings.database_pooling == "transaction" and not settings.stream_database_url:
        yield (
            "DATABASE_POOLING=transaction needs STREAM_DATABASE_URL, for whoever waits for news listens on a connection of its own: "
            f"write {advice_of('STREAM_DATABASE_URL', type(settings))['write']} that leads to PostgreSQL itself."
        )
    if settings.web_workers > 1 and not settings.redis_url and settings.is_public:
        yield (
            f"WEB_WORKERS={settings.web_workers} needs REDIS_URL, for several processes can only share their cache and "
            "limits through a Valkey or Redis: write its address like redis://host:6379/0, or WEB_WORKERS=1."
        )
    if settings.replica_urls and not settings.redis_url:
        yield (
            "REPLICA_URLS needs REDIS_URL, for in a Valkey or Redis all processes find who has just written and must not "
            "read from a replica yet: write its address like redis://host:6379/0, or remove REPLICA_URLS."
        )
    if settings.smtp_url and settings.is_public and not settings.mail_from:
        yield _write(
            settings, "MAIL_FROM", "is not set, and mails need a sender that the mail server accepts"
        )
    if settings.argon2_memory_kib < 8 * settings.argon2_parallelism:
        yield (
            f"ARGON2_MEMORY_KIB={settings.argon2_memory_kib} is too small for ARGON2_PARALLELISM="
            f"{settings.argon2_parallelism}: write at least {8 * settings.argon2_parallelism}."
        )
    yield from _faults_of_provider(settings)
    if settings.is_public:
        yield from _faults_in_public(settings)
    elif settings.secret_key and len(settings.secret_key) < 8:
        yield _write(settings, "SECRET_KEY", "is too short")


def _faults_of_provider(settings: Settings) -> Iterator[str]:
    """The sign-in provider has all of its settings, or none."""
    if not settings.oidc_issuer:
        for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_NAME"):
            if getattr(settings, name.lower()):
                yield f"{name} is of no use without OIDC_ISSUER: write {advice_of('OIDC_ISSUER', type(settings))['write']}, or remove it."
    elif not (settings.oidc_client_id and settings.oidc_client_secret):
        yield (
            f"OIDC_ISSUER={settings.oidc_issuer} needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET: write what the provider "
            "gave this site."
        )


def _faults_in_public(settings: Settings) -> Iterator[str]:
    """What staging and production do not put up with."""
    where = settings.environment
    if settings.database_url is None:
        yield _write(
            settings, "DATABASE_URL", f"is not set, and in {where} the embedded database is not used"
        )
    if not settings.secret_key:
        yield _write(settings, "SECRET_KEY", f"is not set, and in {where} none is made up")
    elif len(settings.secret_key) < SHORTEST_SECRET:
        yield _write(settings, "SECRET_KEY", f"has {len(settings.secret_key)} characters and is too short")
    elif len(set(settings.secret_key)) < 10:
        yield _write(settings, "SECRET_KEY", "is easy to guess")
    elif PLACEHOLDER.search(settings.secret_key):
        yield _write(settings, "SECRET_KEY", "looks like a text that stands for a key")
    if settings.webhook_networks and where == "production":
        yield (
            f"WEBHOOK_NETWORKS={settings.webhook_networks} is refused in production, where webhooks lead to public "
            "addresses only: remove it."
        )
    if (settings.oidc_issuer or "").startswith("http://"):
        yield f"OIDC_ISSUER={settings.oidc_issuer} is not encrypted, so anybody on the way could sign in: write https://."
    yield from _faults_of_the_way_in(settings)


def _faults_of_the_way_in(settings: Settings) -> Iterator[str]:
    """What would let others read along, or mistake one visitor for another."""
    where = settings.environment
    if not settings.base_url:
        yield _write(settings, "BASE_URL", f"is not set, and in {where} links in messages need it")
    elif settings.base_url.startswith("http://"):
        if settings.session_cookie_secure is not False:
            yield (
                f"BASE_URL={settings.base_url} is not encrypted, so nobody could sign in: write an https:// address, or "
                "set SESSION_COOKIE_SECURE=false if the network is your own."
            )
    elif settings.session_cookie_secure is False:
        yield (
            f"SESSION_COOKIE_SECURE=false is refused in {where} with an encrypted BASE_URL, for sessions could be read "
            "on the way: remove it."
        )
    if settings.proxy_hops is None:
        yield _write(
            settings,
            "PROXY_HOPS",
            f"is not set, and in {where} nobody's address could be told from a proxy's",
        )
    if settings.flask_debug:
        yield f"FLASK_DEBUG=1 is refused in {where}, for it shows everybody the insides of the program: remove it."
    if any(ip_network(each).prefixlen == 0 for each in settings.metrics_networks.split()):
        yield (
            f"METRICS_NETWORKS={settings.metrics_networks} is refused in {where}, for all the world could read the "
            "metrics: name the networks that may."
        )


def _write(settings: Settings, name: str, fault: str) -> str:
    return f"{name} {fault}: write {advice_of(name, type(settings))['write']}."


def advice_of(name: str, settings: type[BaseModel]) -> dict[str, Any]:
    """What to write into the variable of this name, and whether it is a secret."""
    field = next(each for each in settings.model_fields.values() if each.validation_alias == name)
    extra: Any = field.json_schema_extra
    return dict(extra)
