"""flask tokens: made for somebody, with what only an operator grants; listed; taken back; what is said when it does not work."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from codyverse import create_app
from codyverse.accounts import tokens
from codyverse.core.clock import now
from codyverse.core.database import db, session
from tests.cli.programs import flask
from tests.conftest import named, settings_for
from tests.factories import make_user

ADA = "ada@example.org"


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["tokens", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def rows(app: Flask, email: str = ADA) -> list[dict[str, object]]:
    code, output = run(app, "list", email, "--json")
    assert code == 0, output
    return list(json.loads(output))


def status(app: Flask, secret: str, path: str = "/api/users/me") -> int:
    return app.test_client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_token_is_made_and_told_once(app: Flask) -> None:
    make_user(email=ADA)
    code, output = run(app, "issue", "ADA@example.org", "--name", "Bot")
    assert code == 0
    made, told = output.splitlines()
    secret = told.removeprefix("Token (shown this once): ")
    assert tokens.is_well_formed(secret)
    assert status(app, secret) == 200
    [row] = rows(app)
    scopes = ", ".join(sorted(tokens.READS))
    assert made == f"Made token {row['id']} for {ADA}: {scopes}; until it is revoked."
    assert (row["name"], row["hint"], row["expiresAt"]) == ("Bot", secret[-4:], None)
    assert row["lastUsedAt"] is not None
    assert secret not in run(app, "list", ADA)[1]


def test_for_scripts_with_scopes_and_an_end(app: Flask) -> None:
    make_user(email=ADA)
    words = ("--scope", "progress:write", "--scope", "progress:report", "--days", "7", "--json")
    code, output = run(app, "issue", ADA, "--name", "School", *words)
    made = json.loads(output)
    assert (code, made["scopes"]) == (0, ["progress:report", "progress:write"])
    ends = datetime.fromisoformat(made["expiresAt"])
    assert abs(ends - now() - timedelta(days=7)) < timedelta(minutes=5)
    assert ends.tzinfo == UTC
    assert [row | {"token": made["token"]} for row in rows(app)] == [made]
    assert f"until {ends:%Y-%m-%d %H:%M} UTC, not used yet  School" in run(app, "list", ADA)[1]


def test_admin_only_where_the_role_covers_it(app: Flask) -> None:
    make_user(email=ADA)
    make_user(email="olu@example.org", role="operator")
    code, output = run(app, "issue", ADA, "--name", "Bot", "--scope", "admin")
    assert (code, "admin" in output, rows(app)) == (1, True, [])
    code, output = run(app, "issue", "olu@example.org", "--name", "Bot", "--scope", "admin", "--json")
    assert (code, status(app, json.loads(output)["token"], "/api/users")) == (0, 200)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((ADA,), 2, "Missing option '--name'"),
        ((), 2, "Missing argument 'EMAIL'"),
        (("nobody@example.org", "--name", "x"), 1, "Error: Nobody has the address nobody@example.org."),
        ((ADA, "--name", " "), 1, "Write a name of 1 to 80"),
        (
            (ADA, "--name", "x", "--scope", "everything"),
            1,
            "There is no scope everything. Choose from profile:read",
        ),
        ((ADA, "--name", "x", "--scope", "courses:write"), 1, "courses:write"),
        ((ADA, "--name", "x", "--days", "0"), 2, "not in the range"),
        ((ADA, "--name", "x", "--days", "soon"), 2, "not a valid integer"),
    ],
)
def test_what_cannot_be_made(app: Flask, words: tuple[str, ...], code: int, says: str) -> None:
    make_user(email=ADA)
    ended, output = run(app, "issue", *words)
    assert ended == code
    assert says in output
    assert "Traceback" not in output
    assert rows(app) == []


def test_not_for_whoever_is_deactivated(app: Flask) -> None:
    make_user(email=ADA)
    app.test_cli_runner().invoke(args=["users", "deactivate", ADA, "--yes"])
    assert run(app, "issue", ADA, "--name", "x") == (1, f"Error: {ADA} is deactivated.\n")


def test_taking_back_one_and_all(app: Flask) -> None:
    make_user(email=ADA)
    make_user(email="ben@example.org")
    assert run(app, "list", ADA) == (0, f"{ADA} has no token that works.\n")
    secrets = {}
    for name in ("one", "two", "three"):
        made = json.loads(run(app, "issue", ADA, "--name", name, "--json")[1])
        secrets[made["id"]] = made["token"]
    first, *rest = secrets
    assert run(app, "revoke", "ben@example.org", str(first)) == (1, "Error: There is no such token.\n")
    assert run(app, "revoke", ADA, str(first)) == (0, f"Token {first} of {ADA} revoked.\n")
    assert [status(app, each) for each in secrets.values()] == [401, 200, 200]
    assert [row["id"] for row in rows(app)] == rest[::-1], "newest first"
    assert run(app, "revoke", ADA, "--all") == (0, f"2 tokens of {ADA} revoked.\n")
    assert [status(app, each) for each in secrets.values()] == [401, 401, 401]
    assert run(app, "revoke", ADA, "--all") == (0, f"0 tokens of {ADA} revoked.\n")


def test_revoking_names_what(app: Flask) -> None:
    make_user(email=ADA)
    for words in ((ADA,), (ADA, "1", "--all"), (ADA, "0"), (ADA, "-1"), (ADA, "x"), (ADA, str(2**63)), ()):
        assert run(app, "revoke", *words)[0] == 2, words
    assert "either the token's number" in run(app, "revoke", ADA)[1]
    assert run(app, "revoke", "nobody@example.org", "--all")[0] == 1


@pytest.mark.parametrize("command", ["issue", "list", "revoke"])
def test_help(app: Flask, command: str) -> None:
    code, output = run(app, command, "--help")
    assert code == 0
    assert f"tokens {command} [OPTIONS]" in output
    assert f"Example: flask tokens {command}" in output
    if command == "issue":
        assert all(scope in output for scope in tokens.SCOPES)


def test_as_a_program(committed_app: Flask) -> None:
    """What scripts rely on: results on stdout, faults in one sentence on stderr, exit codes."""
    url = committed_app.extensions["settings"].database_url
    make_user(email=ADA, role="operator")
    session.remove()
    words = ("--name", "Backup", "--scope", "admin", "--json")
    made = flask(url, "tokens", "issue", ADA, *words, LOG_LEVEL="DEBUG")
    assert made.returncode == 0
    assert status(committed_app, json.loads(made.stdout)["token"], "/api/users") == 200
    broken = flask(url, "tokens", "list", "nobody@example.org")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr == "Error: Nobody has the address nobody@example.org.\n"


@pytest.mark.parametrize(
    "words", [("list", ADA), ("issue", ADA, "--name", "x"), ("revoke", ADA, "1"), ("revoke", ADA, "--all")]
)
def test_without_tables_and_without_a_database(cluster: str, words: tuple[str, ...]) -> None:
    for url, says in (
        (named(cluster, "postgres"), "Error: The tables are not there yet: run `flask db upgrade` first.\n"),
        ("postgresql://nobody@127.0.0.1:9/none", "Error: The database does not answer: "),
    ):
        bare = create_app(settings_for(url))
        done = bare.test_cli_runner().invoke(args=["tokens", *words])
        with bare.app_context():
            db.engine.dispose()
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(says)
        assert "Traceback" not in done.stderr
