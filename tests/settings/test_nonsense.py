"""Nonsense in a setting is refused at the start on one line, whatever it is; what is odd but right is understood."""

import pytest

from config import load_settings
from tests.cli.programs import flask
from tests.ports import free_port
from tests.settings.test_settings import TESTING, faults


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (
            "CODYVERSE_DATA",
            "~nobody-of-that-name/x",
            "begins with the home folder of a user that there is not",
        ),
        ("CONTENT_DIR", "~nobody-of-that-name/x", "begins with the home folder of a user that there is not"),
        ("CONTENT_DIR", "x" * 300, "cannot be used (File name too long)"),
        ("BACKUP_DIR", "x" * 300, "cannot be used (File name too long)"),
        ("BACKUP_KEY_FILE", "x" * 300, "cannot be used (File name too long)"),
        (
            "DATABASE_URL",
            "postgresql://u:hunter2@h/db?nonsense=1",
            "names an option that PostgreSQL does not",
        ),
        ("DATABASE_URL", "postgresql://u:hunter2@h/db?port=abc", "cannot be read as an address"),
        (
            "STREAM_DATABASE_URL",
            "postgresql://u:hunter2@h/db?x=1",
            "names an option that PostgreSQL does not",
        ),
        ("REPLICA_URLS", "postgresql://u:hunter2@h/db?port=abc", "cannot be read as an address"),
        ("REDIS_URL", "redis://:hunter2@h?socket_timeout=abc", "has something behind the question mark that"),
        ("REDIS_URL", "redis://:hunter2@h?nonsense=1", "has something behind the question mark that"),
        ("REDIS_URL", "rediss://:hunter2@h?ssl_cert_reqs=no", "has something behind the question mark that"),
        ("REDIS_URL", "unix://", "names no socket"),
        ("RATELIMIT_STORAGE_URI", "redis://:hunter2@h?db=x", "has something behind the question mark that"),
        ("RATELIMIT_STORAGE_URI", "redis+unix://", "names no socket"),
        ("BASE_URL", "http://*", "names a host that there cannot be"),
        ("ALERT_WEBHOOK_URL", "http://u:hunter2@ho st", "is not a web address"),
        ("SMTP_URL", "smtp://u:hunter2@ho st", "is not the address of a mail server"),
        ("OIDC_ISSUER", "https://u:hunter2@id.example.org", "holds a user or a password"),
        ("CORS_ORIGINS", "https://u:hunter2@app.example.org", "holds a user or a password"),
        ("METRICS_NETWORKS", "http://u:hunter2@h", "has a part that is no network:"),
        ("WEBHOOK_NETWORKS", "http://u:hunter2@h", "has a part that is no network:"),
        ("MAIL_FROM", "Cody\nBcc: all@example.org <a@example.org>", "is not a sender"),
        ("MAIL_FROM", "smtp://u:hunter2@h.example.org", "is not a sender"),
        ("PORT", "9" * 5000, "is too large"),
        ("LOG_LEVEL", "lo\nud", "is not one of the choices"),
    ],
)
def test_nonsense_is_refused_on_one_line_and_no_password_is_shown(name: str, value: str, fault: str) -> None:
    [said] = faults({"CODYVERSE_ENV": "testing", name: value})
    assert said.startswith(name)
    assert fault in said
    assert "hunter2" not in said
    assert said.isprintable()
    assert len(said) < 500


def test_addresses_with_options_are_understood() -> None:
    settings = load_settings(
        TESTING
        | {
            "DATABASE_URL": "postgresql://u@/db?host=/run/postgresql&sslmode=verify-full&options=-c%20jit%3Doff",
            "STREAM_DATABASE_URL": "postgresql:///?service=cody",
            "REDIS_URL": "unix:///run/valkey.sock?db=1",
            "RATELIMIT_STORAGE_URI": "rediss://u:p@valkey:6380/2?ssl_cert_reqs=required",
        }
    )
    assert settings.redis_url == "unix:///run/valkey.sock?db=1"


def test_a_server_whose_database_is_not_there_says_so_on_one_line() -> None:
    done = flask("postgresql://u:hunter2@127.0.0.1:1/db", "serve", PORT=str(free_port()))
    assert done.returncode == 1
    assert "Error: The database does not answer: connection to server" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
