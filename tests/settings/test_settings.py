"""Every setting: its default, what refuses a wrong value and in which words, and what follows from it."""

import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import config
from config import NAMES, ROOT, Settings, SettingsError, load_settings

SECRET = "0123456789abcdef" * 4
TESTING = {"CODYVERSE_ENV": "testing"}
PRODUCTION = {
    "CODYVERSE_ENV": "production",
    "DATABASE_URL": "postgresql://cody@db/cody",
    "SECRET_KEY": SECRET,
    "BASE_URL": "https://learn.example.org",
    "PROXY_HOPS": "1",
}


def faults(env: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(env)
    return caught.value.faults


def test_nothing_has_to_be_set_for_development(tmp_path: Path) -> None:
    settings = load_settings({"CODYVERSE_DATA": str(tmp_path)})
    assert settings.environment == "development"
    assert settings.database_url is None
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.ratelimit_storage_uri == "memory://"
    assert (settings.log_format, settings.session_cookie_secure) == ("text", False)
    assert settings.content_dir == ROOT / "content"
    assert settings.backup_dir == tmp_path / "backups"
    assert load_settings(TESTING | {"BACKUP_DIR": "kept"}).backup_dir == ROOT / "kept"


def test_four_settings_make_production() -> None:
    settings = load_settings(PRODUCTION)
    assert (settings.log_format, settings.session_cookie_secure) == ("json", True)
    assert settings.database_url == "postgresql+psycopg2://cody@db/cody"
    assert load_settings(PRODUCTION | {"CODYVERSE_ENV": "staging"}).is_public
    assert load_settings(PRODUCTION | {"PROXY_HOPS": "0"}).proxy_hops == 0


WRONG = {
    "OIDC_ISSUER": (
        "id.example.org",
        "OIDC_ISSUER=id.example.org is no issuer: write the issuer of an OpenID",
    ),
    "OIDC_CLIENT_ID": ("cody", "OIDC_CLIENT_ID is of no use without OIDC_ISSUER: write the issuer"),
    "OIDC_CLIENT_SECRET": ("secret", "OIDC_CLIENT_SECRET is of no use without OIDC_ISSUER: write the issuer"),
    "OIDC_NAME": ("My School", "OIDC_NAME is of no use without OIDC_ISSUER: write the issuer"),
    "CODYVERSE_ENV": (
        "prod",
        "CODYVERSE_ENV=prod is not one of the choices: write development, testing, staging or",
    ),
    "DATABASE_URL": ("sqlite:///x.db", "DATABASE_URL is not the address of a PostgreSQL, the only database"),
    "SECRET_KEY": ("short", "SECRET_KEY is too short: write at least 32 random characters"),
    "BASE_URL": (
        "learn.example.org",
        "BASE_URL=learn.example.org is not a web address: write the address people use",
    ),
    "HOST": ("my host", "HOST=my host is not a host: write the address to listen on"),
    "PORT": (
        "eighty",
        "PORT=eighty is not a whole number: write a whole number from 1 to 65535, for example 8000.",
    ),
    "WEB_WORKERS": ("0", "WEB_WORKERS=0 is too small: write a whole number from 1 to 64, for example 1."),
    "WEB_THREADS": ("400", "WEB_THREADS=400 is too large: write a whole number from 1 to 64, for example 4."),
    "POOL_SIZE": ("-1", "POOL_SIZE=-1 is too small"),
    "POOL_MAX": ("many", "POOL_MAX=many is not a whole number"),
    "CONNECT_TIMEOUT_S": ("1", "CONNECT_TIMEOUT_S=1 is too small: write a whole number from 2 to 60"),
    "STATEMENT_TIMEOUT_MS": ("5s", "STATEMENT_TIMEOUT_MS=5s is not a whole number"),
    "REPLICA_URLS": (
        "postgresql://cody@one/cody mysql://two/cody",
        "REPLICA_URLS is not the address of a PostgreSQL, the only database",
    ),
    "REPLICA_MAX_LAG_S": ("0", "REPLICA_MAX_LAG_S=0 is too small: write a whole number from 2 to 600"),
    "WEB_QUEUE": ("-1", "WEB_QUEUE=-1 is too small"),
    "WEB_QUEUE_MS": ("1", "WEB_QUEUE_MS=1 is too small"),
    "DATABASE_POOLING": (
        "pgbouncer",
        "DATABASE_POOLING=pgbouncer is not one of the choices: write session or transaction.",
    ),
    "BREAKER_FAILURES": ("0", "BREAKER_FAILURES=0 is too small"),
    "BREAKER_REST_S": ("0", "BREAKER_REST_S=0 is too small"),
    "REDIS_URL": (
        "localhost:6379",
        "REDIS_URL is not the address of a Valkey or Redis: write an address like redis://",
    ),
    "STREAM_DATABASE_URL": (
        "sqlite:///x.db",
        "STREAM_DATABASE_URL is not the address of a PostgreSQL, the only database",
    ),
    "STREAMS_MAX": ("0", "STREAMS_MAX=0 is too small"),
    "SMTP_URL": (
        "mail.example.org:587",
        "SMTP_URL is not the address of a mail server: write an address like smtp://",
    ),
    "SMTP_TIMEOUT_S": ("0", "SMTP_TIMEOUT_S=0 is too small"),
    "MAIL_FROM": (
        "cody",
        "MAIL_FROM=cody is not a sender: write a sender like Cody Verse <cody@example.org>.",
    ),
    "WEBHOOK_NETWORKS": (
        "10.0.0.0/8, 10.1.2.3/8",
        "WEBHOOK_NETWORKS=10.0.0.0/8, 10.1.2.3/8 has a part that is no network (10.1.2.3/8): write networks like",
    ),
    "SESSION_COOKIE_SECURE": (
        "perhaps",
        "SESSION_COOKIE_SECURE=perhaps is neither true nor false: write true or false.",
    ),
    "REDIS_TIMEOUT_MS": ("1", "REDIS_TIMEOUT_MS=1 is too small"),
    "SLOW_QUERY_MS": ("0", "SLOW_QUERY_MS=0 is too small"),
    "HEALTH_EVERY_S": ("0", "HEALTH_EVERY_S=0 is too small"),
    "METRICS_EVERY_S": ("-1", "METRICS_EVERY_S=-1 is too small"),
    "ALERT_WEBHOOK_URL": (
        "alerts.example.org",
        "ALERT_WEBHOOK_URL is not a web address: write an address like https://alerts.example.org/cody.",
    ),
    "MEMORY_LIMIT_MB": ("-1", "MEMORY_LIMIT_MB=-1 is too small"),
    "METRICS_NETWORKS": (
        "home",
        "METRICS_NETWORKS=home has a part that is no network (home): write networks",
    ),
    "ASSET_URL": (
        "cdn.example.org",
        "ASSET_URL=cdn.example.org is not the address of a folder of files: write the address",
    ),
    "CORS_ORIGINS": (
        "app.example.org",
        "CORS_ORIGINS=app.example.org names app.example.org, which is no site's address: write addresses",
    ),
    "EXPORT_KEPT_HOURS": ("0", "EXPORT_KEPT_HOURS=0 is too small"),
    "IDEMPOTENCY_WAIT_S": ("0", "IDEMPOTENCY_WAIT_S=0 is too small"),
    "PROXY_HOPS": ("11", "PROXY_HOPS=11 is too large"),
    "FLASK_DEBUG": ("maybe", "FLASK_DEBUG=maybe is neither true nor false: write 1 or 0"),
    "BACKUP_DIR": (__file__, f"BACKUP_DIR={__file__} is no folder: write the path of a folder for backups"),
    "BACKUP_KEY_FILE": (
        "/",
        "BACKUP_KEY_FILE=/ is a folder: write the path of a file with a key for backups",
    ),
    "MAX_BODY_BYTES": ("1MB", "MAX_BODY_BYTES=1MB is not a whole number"),
    "ARGON2_TIME_COST": ("0", "ARGON2_TIME_COST=0 is too small"),
    "ARGON2_MEMORY_KIB": ("19 MiB", "ARGON2_MEMORY_KIB=19 MiB is not a whole number"),
    "ARGON2_PARALLELISM": ("17", "ARGON2_PARALLELISM=17 is too large"),
    "RATELIMIT_DEFAULT": (
        "often",
        "RATELIMIT_DEFAULT=often is not a rate limit: write a limit like 200 per minute.",
    ),
    "RATELIMIT_SIGN_IN": ("10", "RATELIMIT_SIGN_IN=10 is not a rate limit"),
    "RATELIMIT_SIGN_IN_ADDRESS": ("x per day", "RATELIMIT_SIGN_IN_ADDRESS=x per day is not a rate limit"),
    "RATELIMIT_EXPORT": ("20", "RATELIMIT_EXPORT=20 is not a rate limit"),
    "RATELIMIT_REGISTER": ("60", "RATELIMIT_REGISTER=60 is not a rate limit"),
    "RATELIMIT_STORAGE_URI": (
        "file:///x",
        "RATELIMIT_STORAGE_URI names a storage that Cody Verse does not use",
    ),
    "CONTENT_DIR": ("/dev/null", "CONTENT_DIR=/dev/null is not a folder"),
    "LOG_LEVEL": (
        "loud",
        "LOG_LEVEL=loud is not one of the choices: write DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    ),
    "LOG_FORMAT": ("xml", "LOG_FORMAT=xml is not one of the choices: write json or text."),
    "CODYVERSE_DATA": (
        "/dev/null/x",
        "CODYVERSE_DATA=/dev/null/x cannot be used (Not a directory): write the path",
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_value_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    value, sentence = WRONG[name]
    [said] = faults({"CODYVERSE_DATA": str(tmp_path), name: value})
    assert said.startswith(sentence)
    assert said.endswith(".")


def test_a_provider_needs_all_of_its_settings_and_in_public_https() -> None:
    whole = {
        "OIDC_ISSUER": "https://id.example.org",
        "OIDC_CLIENT_ID": "cody",
        "OIDC_CLIENT_SECRET": "a secret",
    }
    assert load_settings(PRODUCTION | whole).oidc_issuer == "https://id.example.org"
    for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"):
        [said] = faults(TESTING | {each: value for each, value in whole.items() if each != name})
        assert "needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET" in said
    [said] = faults(PRODUCTION | whole | {"OIDC_ISSUER": "http://id.example.org"})
    assert "is not encrypted" in said


def test_all_faults_are_told_at_once() -> None:
    said = faults({"PORT": "x", "LOG_LEVEL": "y", "CODYVERSE_FOO": "z"})
    assert len(said) == 3


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CODYVERSE_DTA", "did you mean CODYVERSE_DATA?"),
        ("CODYVERSE_PORT", "did you mean PORT?"),
        ("CODYVERSE_DATABASEURL", "did you mean DATABASE_URL?"),
        ("CODYVERSE_XYZZY", "remove it; docs/settings.md lists all settings."),
    ],
)
def test_unknown_names_are_told_with_the_closest_one(name: str, advice: str) -> None:
    assert faults(TESTING | {name: "1"}) == [f"{name} is not a setting of Cody Verse: {advice}"]


@pytest.mark.parametrize(
    "value", ["postgresql://:::", "postgres://user@host:port/db", "mysql://x", "just words"]
)
def test_addresses_that_are_none(value: str) -> None:
    [said] = faults(TESTING | {"DATABASE_URL": value})
    assert value not in said  # it may hold a password


def test_secrets_are_never_repeated() -> None:
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "RATELIMIT_STORAGE_URI"):
        assert "hunter2" not in " ".join(faults({"SECRET_KEY": SECRET, name: "hunter2"}))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"DATABASE_URL": ""},
            "DATABASE_URL is not set, and in production the embedded database is not used: write",
        ),
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set, and in production none is made up: write at least 32"),
        ({"SECRET_KEY": "x" * 31}, "SECRET_KEY has 31 characters and is too short: write at least 32"),
        ({"SECRET_KEY": "change-me" * 4}, "SECRET_KEY is easy to guess: write at least 32"),
        ({"SECRET_KEY": "0" * 64}, "SECRET_KEY is easy to guess"),
        (
            {"SECRET_KEY": "what `python3 -c 'import secrets; print(secrets.token_hex(32))'` prints"},
            "SECRET_KEY looks like a text that stands for a key: write at least 32",
        ),
        ({"SECRET_KEY": "0123456789-My-Secret-Key-abcdefghij"}, "SECRET_KEY looks like a text that"),
        ({"SECRET_KEY": "PLACEHOLDER-of-thirty-two-signs-1"}, "SECRET_KEY looks like a text that"),
        ({"SECRET_KEY": "please-Change-me-before-going-live"}, "SECRET_KEY looks like a text that"),
        ({"SECRET_KEY": "an-Example-of-what-stands-here-01"}, "SECRET_KEY looks like a text that"),
        ({"BASE_URL": ""}, "BASE_URL is not set, and in production links in messages need it: write"),
        ({"WEBHOOK_NETWORKS": "10.0.0.0/8"}, "WEBHOOK_NETWORKS=10.0.0.0/8 is refused in production"),
        ({"BASE_URL": "http://learn.example.org"}, "BASE_URL=http://learn.example.org is not encrypted"),
        (
            {"SESSION_COOKIE_SECURE": "false"},
            "SESSION_COOKIE_SECURE=false is refused in production with an encr",
        ),
        (
            {"PROXY_HOPS": ""},
            "PROXY_HOPS is not set, and in production nobody's address could be told from a",
        ),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG=1 is refused in production, for it shows everybody the insides"),
        ({"METRICS_NETWORKS": "0.0.0.0/0"}, "METRICS_NETWORKS=0.0.0.0/0 is refused in production"),
        ({"METRICS_NETWORKS": "10.0.0.0/8 ::/0"}, "METRICS_NETWORKS=10.0.0.0/8 ::/0 is refused"),
        (
            {"BASE_URL": "https://l.example.org:99999"},
            "BASE_URL=https://l.example.org:99999 names a port that there is not, for ports go from 1 to 65535: write",
        ),
        ({"BASE_URL": "https://l.example.org:0"}, "BASE_URL=https://l.example.org:0 names a port that"),
        ({"BASE_URL": "https://l.example.org:x"}, "BASE_URL=https://l.example.org:x names a port that"),
        ({"BASE_URL": "https://[::1"}, "BASE_URL=https://[::1 cannot be read as an address: write"),
        (
            {"BASE_URL": "https://ada:hunter2@l.example.org"},
            "BASE_URL holds a user or a password, which every link in a mail would show: write",
        ),
        ({"DATABASE_URL": "postgresql://cody@db:99999/cody"}, "DATABASE_URL names a port that there is not"),
        ({"STREAM_DATABASE_URL": "postgresql://cody@db:0/cody"}, "STREAM_DATABASE_URL names a port that"),
        ({"REDIS_URL": "redis://valkey:99999/0"}, "REDIS_URL names a port that there is not"),
        ({"OIDC_ISSUER": "https://id.example.org:70000"}, "OIDC_ISSUER=https://id.example.org:70000 names a"),
        (
            {"RATELIMIT_DEFAULT": "0 per minute"},
            "RATELIMIT_DEFAULT=0 per minute is a rate limit that would refuse everybody: write a limit like",
        ),
        ({"RATELIMIT_SIGN_IN": "5 per minute;0 per hour"}, "RATELIMIT_SIGN_IN=5 per minute;0 per hour is"),
        (
            {"BASE_URL": "https://example.org/path"},
            "BASE_URL=https://example.org/path has something behind the host",
        ),
    ],
)
def test_what_production_refuses(changed: dict[str, str], sentence: str) -> None:
    [said] = faults(PRODUCTION | changed)
    assert said.startswith(sentence)


def test_networks_of_webhooks_outside_production() -> None:
    staging = PRODUCTION | {
        "CODYVERSE_ENV": "staging",
        "WEBHOOK_NETWORKS": "10.1.0.0/16,fd00:1::/64 127.0.0.1",
    }
    networks = load_settings(staging).reachable_networks
    assert [str(each) for each in networks] == ["10.1.0.0/16", "fd00:1::/64", "127.0.0.1/32"]
    assert load_settings(PRODUCTION).reachable_networks == ()


def test_production_on_an_own_network_without_encryption() -> None:
    plain = PRODUCTION | {"BASE_URL": "http://learn.local", "SESSION_COOKIE_SECURE": "false"}
    assert load_settings(plain).session_cookie_secure is False


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"POOL_SIZE": "10", "POOL_MAX": "8"}, "POOL_MAX=8 is less than POOL_SIZE=10"),
        ({"WEB_THREADS": "30"}, "POOL_MAX=20 is less than WEB_THREADS=30"),
        ({"WEB_WORKERS": "2"}, None),
        ({"REPLICA_URLS": "postgresql://replica/cody"}, "REPLICA_URLS needs REDIS_URL"),
        ({"DATABASE_POOLING": "transaction"}, "DATABASE_POOLING=transaction needs STREAM_DATABASE_URL"),
        ({"ARGON2_MEMORY_KIB": "1024", "ARGON2_PARALLELISM": "16"}, None),
    ],
)
def test_settings_that_do_not_fit_together(env: dict[str, str], sentence: str | None) -> None:
    if sentence is None:
        load_settings(TESTING | env)
    else:
        [said] = faults(TESTING | env)
        assert said.startswith(sentence)


def test_in_public_several_processes_ask_for_a_valkey() -> None:
    [said] = faults(PRODUCTION | {"WEB_WORKERS": "2"})
    assert said.startswith("WEB_WORKERS=2 needs REDIS_URL")
    assert load_settings(PRODUCTION | {"WEB_WORKERS": "2", "REDIS_URL": "redis://valkey"}).web_workers == 2


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    env = {"CODYVERSE_DATA": str(tmp_path / "new")}
    with ThreadPoolExecutor(8) as pool:
        keys = {settings.secret_key for settings in pool.map(load_settings, [env] * 8)}
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    [kept] = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_testing_leaves_no_file_behind(tmp_path: Path) -> None:
    load_settings(TESTING | {"CODYVERSE_DATA": str(tmp_path / "new")})
    assert not (tmp_path / "new").exists()


def test_the_file_env_gives_way_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "ROOT", tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("PORT=8101\nHOST='0.0.0.0'\nLOG_LEVEL=\n# a remark\n")
    monkeypatch.setenv("HOST", "127.0.0.1")
    settings = load_settings()
    assert (settings.port, settings.host, settings.log_level) == (8101, "127.0.0.1", "INFO")
    monkeypatch.setenv("CODYVERSE_ENV", "testing")
    assert load_settings().port == 8000


def test_what_flask_is_told(tmp_path: Path) -> None:
    told = load_settings(PRODUCTION | {"POOL_SIZE": "3", "POOL_MAX": "7"}).flask_config()
    assert told["SESSION_COOKIE_NAME"] == "__Host-codyverse"
    assert (told["SESSION_COOKIE_HTTPONLY"], told["SESSION_COOKIE_SAMESITE"]) == (True, "Lax")
    assert told["MAX_CONTENT_LENGTH"] == 1_048_576
    pool = told["SQLALCHEMY_ENGINE_OPTIONS"]
    assert (pool["pool_size"], pool["max_overflow"], pool["connect_args"]["connect_timeout"]) == (3, 4, 5)
    assert "SQLALCHEMY_DATABASE_URI" not in load_settings(TESTING).flask_config()


def test_the_list_of_settings_is_complete_and_right() -> None:
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (.*?) \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    )
    assert set(rows) == set(NAMES)
    for variable, attribute in NAMES.items():
        default = Settings.model_fields[attribute].default
        if default not in (None, ""):
            assert rows[variable] == f"`{default}`", variable


def test_the_program_ends_with_sentences_not_with_a_traceback() -> None:
    env = {**os.environ, "PORT": "eighty", "CODYVERSE_DTA": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--help"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "PORT=eighty is not a whole number" in done.stderr
    assert "did you mean CODYVERSE_DATA?" in done.stderr
    assert done.returncode != 0
