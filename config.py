"""The settings of Cody Verse: one typed object, read from the environment, refused with plain sentences when wrong.

::

    settings = load_settings()              # the process environment, and the file .env beside this one
    settings = load_settings({"PORT": "8001"})    # exactly these variables, no file: for tests and tools
    app.config.update(settings.flask_config())

Real environment variables win over `.env`, which is read in every environment but testing. A variable that is set to
nothing counts as not set. Every setting is listed in docs/settings.md; a test holds that list complete.
The checks stand in config_checks.py, those of addresses in config_addresses.py. `database_url` is None when DATABASE_URL is not set: then the caller starts the embedded PostgreSQL in `data_dir`.
"""

from __future__ import annotations

import difflib
import os
import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from config_checks import OF_VALUES, SHORTEST_SECRET, advice_of, between, sentence

ROOT = Path(__file__).resolve().parent
PREFIX = "CODYVERSE_"

Environment = Literal["development", "testing", "staging", "production"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class SettingsError(Exception):
    """Settings that cannot be used; `faults` holds one sentence each, the text of the exception all of them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def setting(name: str, default: Any, write: str, *, secret: bool = False, **limits: Any) -> Any:
    """A field read from the variable `name`; `write` ends the sentence that refuses a wrong value."""
    extra: dict[str, Any] = {"write": write, "secret": secret}
    return Field(default=default, validation_alias=name, json_schema_extra=extra, **limits)


def number(name: str, default: int, low: int, high: int) -> Any:
    """A field for a whole number from `low` to `high`."""
    return setting(
        name, default, f"a whole number from {low} to {high}, for example {default}", ge=low, le=high
    )


class Settings(BaseModel):
    """Everything that can be set, checked. Made by `load_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    environment: Environment = setting(
        "CODYVERSE_ENV", "development", "development, testing, staging or production"
    )
    data_dir: Path = setting(
        "CODYVERSE_DATA", Path(".data"), "the path of a folder that you can write to", validate_default=True
    )
    database_url: str | None = setting(
        "DATABASE_URL", None, "an address like postgresql://user:password@host:5432/database", secret=True
    )
    secret_key: str = setting(
        "SECRET_KEY",
        "",
        f"at least {SHORTEST_SECRET} random characters, for example what this prints: "
        "python3 -c 'import secrets; print(secrets.token_hex(32))'",
        secret=True,
    )
    base_url: str = setting("BASE_URL", "", "the address people use, for example https://learn.example.org")
    host: str = setting(
        "HOST", "127.0.0.1", "the address to listen on: 127.0.0.1 for this machine, 0.0.0.0 for all"
    )
    port: int = number("PORT", 8000, 1, 65535)
    web_workers: int = number("WEB_WORKERS", 1, 1, 64)
    web_threads: int = number("WEB_THREADS", 4, 1, 64)
    web_queue: int = number("WEB_QUEUE", 60, 0, 1000)
    web_queue_ms: int = number("WEB_QUEUE_MS", 1000, 10, 60_000)
    pool_size: int = number("POOL_SIZE", 5, 1, 500)
    pool_max: int = number("POOL_MAX", 20, 1, 500)
    connect_timeout_s: int = number("CONNECT_TIMEOUT_S", 5, 2, 60)
    statement_timeout_ms: int = number("STATEMENT_TIMEOUT_MS", 5000, 100, 600_000)
    replica_urls: str = setting(
        "REPLICA_URLS",
        "",
        "addresses separated by spaces, like postgresql://user:password@replica:5432/database",
        secret=True,
    )
    replica_max_lag_s: int = number("REPLICA_MAX_LAG_S", 5, 2, 600)
    database_pooling: Literal["session", "transaction"] = setting(
        "DATABASE_POOLING", "session", "session or transaction"
    )
    breaker_failures: int = number("BREAKER_FAILURES", 5, 1, 1000)
    breaker_rest_s: int = number("BREAKER_REST_S", 5, 1, 600)
    redis_url: str | None = setting("REDIS_URL", None, "an address like redis://host:6379/0", secret=True)
    redis_timeout_ms: int = number("REDIS_TIMEOUT_MS", 200, 10, 10_000)
    slow_query_ms: int = number("SLOW_QUERY_MS", 50, 1, 600_000)
    health_every_s: int = number("HEALTH_EVERY_S", 30, 1, 3600)
    metrics_every_s: int = number("METRICS_EVERY_S", 10, 0, 600)
    alert_webhook_url: str | None = setting(
        "ALERT_WEBHOOK_URL", None, "an address like https://alerts.example.org/cody", secret=True
    )
    memory_limit_mb: int = number("MEMORY_LIMIT_MB", 0, 0, 1_048_576)
    metrics_networks: str = setting(
        "METRICS_NETWORKS", "127.0.0.0/8 ::1/128", "networks separated by spaces, like 10.0.0.0/8 ::1/128"
    )
    stream_database_url: str | None = setting(
        "STREAM_DATABASE_URL",
        None,
        "an address like postgresql://user:password@host:5432/database",
        secret=True,
    )
    streams_max: int = number("STREAMS_MAX", 5000, 1, 100_000)
    smtp_url: str | None = setting(
        "SMTP_URL", None, "an address like smtp://user:password@mail.example.org:587", secret=True
    )
    smtp_timeout_s: int = number("SMTP_TIMEOUT_S", 10, 1, 120)
    mail_from: str = setting("MAIL_FROM", "", "a sender like Cody Verse <cody@example.org>")
    oidc_issuer: str | None = setting(
        "OIDC_ISSUER", None, "the issuer of an OpenID provider, like https://id.example.org/realms/school"
    )
    oidc_client_id: str = setting("OIDC_CLIENT_ID", "", "the id that the provider gave this site")
    oidc_client_secret: str = setting(
        "OIDC_CLIENT_SECRET", "", "the secret that the provider gave this site", secret=True
    )
    oidc_name: str = setting("OIDC_NAME", "", "what people call the provider, like My School")
    webhook_networks: str = setting(
        "WEBHOOK_NETWORKS", "", "networks like 10.1.0.0/16, fd00:1::/64, separated by commas"
    )
    session_cookie_secure: bool | None = setting("SESSION_COOKIE_SECURE", None, "true or false")
    cors_origins: str = setting(
        "CORS_ORIGINS", "", "addresses of sites, separated by spaces, like https://app.example.org"
    )
    asset_url: str = setting(
        "ASSET_URL", "", "the address where static/dist is served, like https://cdn.example.org/codyverse"
    )
    proxy_hops: int | None = setting(
        "PROXY_HOPS",
        None,
        "how many proxies stand in front, 0 to 10, for example 1 for one nginx",
        ge=0,
        le=10,
    )
    flask_debug: bool | None = setting("FLASK_DEBUG", None, "1 or 0")
    max_body_bytes: int = number("MAX_BODY_BYTES", 1_048_576, 1024, 104_857_600)
    idempotency_wait_s: int = number("IDEMPOTENCY_WAIT_S", 10, 1, 60)
    export_kept_hours: int = number("EXPORT_KEPT_HOURS", 24, 1, 720)
    argon2_time_cost: int = number("ARGON2_TIME_COST", 2, 1, 20)
    argon2_memory_kib: int = number("ARGON2_MEMORY_KIB", 19_456, 1024, 1_048_576)
    argon2_parallelism: int = number("ARGON2_PARALLELISM", 1, 1, 16)
    ratelimit_default: str = setting("RATELIMIT_DEFAULT", "200 per minute", "a limit like 200 per minute")
    ratelimit_sign_in: str = setting(
        "RATELIMIT_SIGN_IN", "10 per minute;100 per hour", "limits like 10 per minute;100 per hour"
    )
    ratelimit_sign_in_address: str = setting(
        "RATELIMIT_SIGN_IN_ADDRESS", "30 per minute;300 per hour", "limits like 30 per minute;300 per hour"
    )
    ratelimit_register: str = setting("RATELIMIT_REGISTER", "60 per hour", "a limit like 60 per hour")
    ratelimit_export: str = setting("RATELIMIT_EXPORT", "20 per hour", "a limit like 20 per hour")
    ratelimit_storage_uri: str = setting(
        "RATELIMIT_STORAGE_URI", "", "memory:// or an address like redis://host:6379/1", secret=True
    )
    content_dir: Path = setting(
        "CONTENT_DIR", Path("content"), "the path of the folder that holds the courses", validate_default=True
    )
    backup_dir: Path = setting("BACKUP_DIR", None, "the path of a folder for backups")  # None until derived
    backup_key_file: Path | None = setting(
        "BACKUP_KEY_FILE", None, "the path of a file with a key for backups"
    )
    log_level: LogLevel = setting("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL")
    log_format: Literal["json", "text"] | None = setting("LOG_FORMAT", None, "json or text")

    @property
    def is_public(self) -> bool:
        """True where strangers come: in staging and production."""
        return self.environment in ("staging", "production")

    @property
    def replicas(self) -> tuple[str, ...]:
        """The addresses of the streaming replicas that reads may go to."""
        return tuple(self.replica_urls.split())

    @property
    def reachable_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that webhooks may lead to although they are not public."""
        return tuple(ip_network(each) for each in self.webhook_networks.replace(",", " ").split())

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator(*OF_VALUES)
    @classmethod
    def _checked(cls, value: Any, about: ValidationInfo) -> Any:
        return OF_VALUES[about.field_name or ""](value)

    def flask_config(self) -> dict[str, Any]:
        """The configuration of Flask and its extensions that follows from these settings."""
        secure = bool(self.session_cookie_secure)
        config = {
            "SECRET_KEY": self.secret_key,
            "TESTING": self.environment == "testing",
            "SESSION_COOKIE_NAME": "__Host-codyverse" if secure else "codyverse",
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_COOKIE_SECURE": secure,
            "PREFERRED_URL_SCHEME": urlsplit(self.base_url).scheme,
            "MAX_CONTENT_LENGTH": self.max_body_bytes,
            "MAX_FORM_MEMORY_SIZE": self.max_body_bytes,
            "SQLALCHEMY_ENGINE_OPTIONS": self.engine_options(),
            "ASSET_URL": self.asset_url,
            "RATELIMIT_STORAGE_URI": self.ratelimit_storage_uri,
            "RATELIMIT_STORAGE_OPTIONS": self.limits_options(),
        }
        if self.database_url is not None:
            config["SQLALCHEMY_DATABASE_URI"] = self.database_url
        return config

    def limits_options(self) -> dict[str, Any]:
        """How the limits reach their Valkey: it gets REDIS_TIMEOUT_MS once, and while it is away each process counts alone."""
        if not self.ratelimit_storage_uri.startswith("redis"):
            return {}
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        patience = self.redis_timeout_ms / 1000
        return {
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "retry": Retry(NoBackoff(), 0),
        }

    def engine_options(self) -> dict[str, Any]:
        """The connection pool: POOL_SIZE connections kept, POOL_MAX at most, CONNECT_TIMEOUT_S to get one."""
        return {
            "pool_size": self.pool_size,
            "max_overflow": self.pool_max - self.pool_size,
            "pool_timeout": self.connect_timeout_s,
            "pool_recycle": 1800,
            "hide_parameters": True,
            "connect_args": {
                "connect_timeout": self.connect_timeout_s,
                "application_name": "codyverse",
                # a machine that vanished without a word is noticed, however long the system itself would wait
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
            },
        }


NAMES: dict[str, str] = {str(field.validation_alias): name for name, field in Settings.model_fields.items()}
"""The environment variable of each setting, and the attribute of `Settings` that holds it."""


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """The checked settings; SettingsError with one sentence per fault.

    With `env`, exactly these variables count; without, those of the process and of `.env`. In development a missing
    SECRET_KEY is made once and kept in the data folder; in testing it is made anew each time.
    """
    values = _known(dict(_environment() if env is None else env))
    faults = _unknown(_environment() if env is None else env)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as fault:
        raise SettingsError(faults + [sentence(each, values, Settings) for each in fault.errors()]) from None
    faults += [*between(settings)]
    if faults:
        raise SettingsError(faults)
    return settings.model_copy(update=_derived(settings))


def _environment() -> dict[str, str]:
    """The variables of the process over those of `.env`."""
    found = dict(os.environ)
    file = ROOT / ".env"
    if found.get("CODYVERSE_ENV") != "testing" and file.is_file():
        written = {name: value for name, value in dotenv_values(file).items() if value}
        return {**written, **found}
    return found


def _known(env: Mapping[str, str]) -> dict[str, str]:
    return {name: env[name].strip() for name in NAMES if env.get(name, "").strip()}


def _unknown(env: Mapping[str, str]) -> list[str]:
    """A sentence for every CODYVERSE_ variable that is none, with the closest name that is one."""
    faults = []
    bare = {name.removeprefix(PREFIX): name for name in NAMES}
    for name in sorted(env):
        if not name.startswith(PREFIX) or name in NAMES:
            continue
        close = difflib.get_close_matches(name.removeprefix(PREFIX), bare, 1)
        advice = (
            f"did you mean {bare[close[0]]}?" if close else "remove it; docs/settings.md lists all settings."
        )
        faults.append(f"{name} is not a setting of Cody Verse: {advice}")
    return faults


def _derived(settings: Settings) -> dict[str, object]:
    """The settings whose default follows from others (docs/settings.md says how)."""
    return {
        "secret_key": settings.secret_key or _made_up_secret(settings),
        "backup_dir": settings.backup_dir or settings.data_dir / "backups",
        "base_url": settings.base_url or _local_address(settings),
        "mail_from": settings.mail_from or "Cody Verse <cody@localhost>",
        "ratelimit_storage_uri": settings.ratelimit_storage_uri or _limits_address(settings.redis_url),
        "proxy_hops": settings.proxy_hops or 0,
        "log_format": settings.log_format or ("json" if settings.is_public else "text"),
        "session_cookie_secure": (
            settings.is_public if settings.session_cookie_secure is None else settings.session_cookie_secure
        ),
    }


def reachable_host(host: str) -> str:
    """Where this machine reaches a server that listens on `host`, which may mean all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not opened)


def _local_address(settings: Settings) -> str:
    host = reachable_host(settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _limits_address(redis_url: str | None) -> str:
    """The same server in the spelling of the `limits` library."""
    if redis_url is None:
        return "memory://"
    return f"redis+{redis_url}" if redis_url.startswith("unix://") else redis_url


def _made_up_secret(settings: Settings) -> str:
    """A random key; in development kept in the data folder, so that a restart signs nobody out."""
    fresh = secrets.token_hex(32)
    if settings.environment == "testing":
        return fresh
    file = settings.data_dir / "secret-key"
    draft = file.with_name(f"secret-key.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        settings.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not file.exists():
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(fresh)
            try:
                os.link(draft, file)  # the first of several processes wins, whole
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return file.read_text().strip()
    except OSError as fault:
        shown = f"CODYVERSE_DATA={settings.data_dir} cannot be used ({fault.strerror})"
        raise SettingsError([f"{shown}: write {advice_of('CODYVERSE_DATA', Settings)['write']}."]) from None
