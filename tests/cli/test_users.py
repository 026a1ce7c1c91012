"""flask users: make accounts, list them, change roles, close them; what is said when it does not work."""

import json

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import create_app
from codyverse.core.database import db, session
from tests.cli.programs import flask
from tests.conftest import named, settings_for
from tests.factories import PASSWORD, make_user
from tests.web.visits import Visitor

ADA = "ada@example.org"


def run(app: Flask, *words: str, typed: str | None = None) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["users", *words], input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def rows(app: Flask, *words: str) -> list[dict[str, object]]:
    code, output = run(app, "list", "--json", *words)
    assert code == 0
    return list(json.loads(output))


def test_an_account_is_made_and_its_password_told_once(app: Flask) -> None:
    code, output = run(app, "create", "--role", "operator", "Ada@Example.org")
    assert code == 0
    made, told = output.splitlines()
    number = session.execute(text("select id from users")).scalar_one()
    assert made == f"Made Ada@Example.org, operator, number {number}."
    password = told.removeprefix("Password (shown this once): ")
    assert len(password) >= 20
    Visitor(app).sign_in(ADA, password).get("/dashboard")
    [row] = rows(app)
    assert (row["id"], row["email"], row["displayName"], row["role"]) == (
        number,
        "Ada@example.org",
        "Ada",
        "operator",
    )
    assert row["deactivatedAt"] is None
    assert str(row["createdAt"]).endswith("+00:00")


def test_a_password_that_was_given_is_not_repeated(app: Flask) -> None:
    words = ("--name", "Ada L.", "--password", PASSWORD, "--time-zone", "Asia/Tokyo")
    code, output = run(app, "create", ADA, *words)
    assert (code, PASSWORD in output) == (0, False)
    assert "learner" in output
    Visitor(app).sign_in(ADA)
    zone = session.execute(text("select display_name, time_zone from users")).one()
    assert tuple(zone) == ("Ada L.", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nobody",), 1, "Write an e-mail address"),
        (("",), 1, "Write an e-mail address"),
        ((ADA, "--name", " "), 1, "Write the name"),
        ((ADA, "--name", "a\u202eb"), 1, "cannot be shown"),
        ((ADA, "--time-zone", "Mars/Olympus"), 1, "Choose a time zone"),
        ((ADA, "--password", "short"), 1, "Use at least 8 characters"),
        ((ADA, "--role", "operator", "--password", "twelve-signs"), 1, "Use at least 15 characters"),
        ((ADA, "--password", "password123"), 1, "tried first"),
        ((ADA, "--role", "emperor"), 2, "'emperor' is not one of 'learner', 'author', 'operator'"),
        ((), 2, "Missing argument 'EMAIL'"),
    ],
)
def test_what_cannot_be_made(app: Flask, words: tuple[str, ...], code: int, says: str) -> None:
    ended, output = run(app, "create", *words)
    assert ended == code
    assert says in output
    assert "Traceback" not in output
    assert rows(app) == []


def test_all_faults_are_told_at_once(app: Flask) -> None:
    _, output = run(app, "create", "x", "--password", "y", "--time-zone", "z")
    assert output.startswith("Error: email: Write an e-mail address")
    assert output.count("\n") == 3


def test_an_address_that_is_taken(app: Flask) -> None:
    make_user(email=ADA)
    code, output = run(app, "create", "ADA@example.org", "--role", "author")
    assert code == 1
    assert "flask users set-role ADA@example.org author" in output
    assert run(app, "create", ADA) == (1, f"Error: Somebody has the address {ADA} already.\n")
    assert run(app, "set-role", "ADA@example.org", "author") == (0, "ADA@example.org is now author.\n")
    assert [row["role"] for row in rows(app)] == ["author"]


def test_the_list(app: Flask) -> None:
    code, output = run(app, "list")
    assert (code, output.startswith("Nobody yet.")) == (0, True)
    assert rows(app) == []
    for number in range(3):
        make_user(
            email=f"p{number}@example.org",
            name=f"Person {number}",
            role="author" if number == 1 else "learner",
        )
    _, output = run(app, "list")
    assert [line.split()[1:3] for line in output.splitlines()] == [
        ["learner", "p0@example.org"],
        ["author", "p1@example.org"],
        ["learner", "p2@example.org"],
    ]
    assert [row["email"] for row in rows(app, "--role", "author")] == ["p1@example.org"]
    assert [row["email"] for row in rows(app, "--limit", "2")] == ["p0@example.org", "p1@example.org"]
    for limit in ("0", "-1", "many"):
        assert run(app, "list", "--limit", limit)[0] == 2


def test_the_list_marks_who_goes_and_who_is_gone(app: Flask) -> None:
    make_user(email=ADA)
    gone = make_user(email="ben@example.org")
    assert run(app, "erase", ADA, "--yes")[0] == 0
    assert run(app, "erase", "ben@example.org", "--now", "--yes")[0] == 0
    leaving, erased = rows(app)
    after = str(leaving["eraseAfter"])[:10]
    assert (leaving["erased"], erased["erased"], erased["eraseAfter"]) == (False, True, None)
    first, second = run(app, "list")[1].splitlines()
    assert first.endswith(f"(erased after {after}, unless they sign in)")
    assert second.endswith("(erased)")
    for words in (
        ("set-role", "{}", "operator"),
        ("export", "{}"),
        ("erase", "{}", "--yes"),
        ("reset-link", "{}"),
    ):
        code, said = run(app, *(word.format(f"erased-{gone}@invalid") for word in words))
        assert (code, "was erased: nothing can be done with what is left." in said) == (1, True), (
            words,
            said,
        )
    assert [row["role"] for row in rows(app)] == ["learner", "learner"]


def test_roles(app: Flask) -> None:
    make_user(email=ADA)
    for role in ("operator", "operator", "learner"):
        assert run(app, "set-role", ADA, role) == (0, f"{ADA} is now {role}.\n")
    code, output = run(app, "set-role", "nobody@example.org", "author")
    assert (code, output) == (1, "Error: Nobody has the address nobody@example.org.\n")
    assert run(app, "set-role", ADA, "emperor")[0] == 2


def test_an_account_is_closed_after_asking(app: Flask) -> None:
    make_user(email=ADA)
    visitor = Visitor(app).sign_in(ADA)
    code, output = run(app, "deactivate", ADA, typed="n\n")
    assert (code, "Aborted!" in output) == (1, True)
    assert visitor.get("/dashboard").response.request.path == "/dashboard"
    code, output = run(app, "deactivate", ADA, typed="y\n")
    assert (code, output.endswith(f"{ADA} is deactivated.\n")) == (0, True)
    assert visitor.get("/dashboard").response.request.path == "/login"
    Visitor(app).post("/login", {"email": ADA, "password": PASSWORD}, status=422)
    assert rows(app)[0]["deactivatedAt"]
    assert "(deactivated)" in run(app, "list")[1]
    assert run(app, "deactivate", ADA, "--yes") == (1, f"Error: {ADA} is deactivated already.\n")
    assert run(app, "deactivate", "nobody@example.org", "--yes")[0] == 1


def test_a_closed_account_is_opened_again(app: Flask) -> None:
    make_user(email=ADA)
    run(app, "deactivate", ADA, "--yes")
    code, output = run(app, "reset-link", ADA)
    assert (code, f"flask users activate {ADA}" in output) == (1, True)
    assert run(app, "activate", "ADA@example.org") == (0, "ADA@example.org is active again.\n")
    assert rows(app)[0]["deactivatedAt"] is None
    Visitor(app).sign_in(ADA).get("/dashboard")
    assert run(app, "activate", ADA) == (1, f"Error: {ADA} is not deactivated.\n")
    nobody = "nobody@example.org"
    assert run(app, "activate", nobody) == (1, f"Error: Nobody has the address {nobody}.\n")


def test_who_was_erased_is_not_opened_again(app: Flask) -> None:
    gone = f"erased-{make_user(email=ADA)}@invalid"
    assert run(app, "erase", ADA, "--now", "--yes")[0] == 0
    assert run(app, "activate", gone) == (1, f"Error: Nobody has the address {gone}.\n")
    assert rows(app)[0]["deactivatedAt"]


def test_nobody_is_told_of_a_second_factor_that_was_none(app: Flask) -> None:
    make_user(email=ADA)
    assert run(app, "reset-second-factor", ADA, "--yes") == (1, f"Error: {ADA} has no second factor.\n")
    assert session.execute(text("select count(*) from mails")).scalar_one() == 0


@pytest.mark.parametrize("command", ["create", "list", "set-role", "deactivate", "activate"])
def test_help(app: Flask, command: str) -> None:
    code, output = run(app, command, "--help")
    assert code == 0
    assert f"users {command} [OPTIONS]" in output


def test_as_a_program(committed_app: Flask) -> None:
    """What scripts rely on: results on stdout, faults in one sentence on stderr, exit codes."""
    url = committed_app.extensions["settings"].database_url
    make_user(email=ADA, role="author")
    session.remove()
    listed = flask(url, "users", "list", "--json", LOG_LEVEL="DEBUG")
    assert [row["role"] for row in json.loads(listed.stdout)] == ["author"]
    broken = flask(url, "users", "set-role", b"\xff@example.org", "learner")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr == "Error: What was typed cannot be read: write it in UTF-8.\n"


@pytest.mark.parametrize(
    "words", [("list",), ("create", ADA), ("set-role", ADA, "author"), ("deactivate", ADA, "--yes")]
)
def test_without_tables_and_without_a_database(cluster: str, words: tuple[str, ...]) -> None:
    for url, says in (
        (named(cluster, "postgres"), "Error: The tables are not there yet: run `flask db upgrade` first.\n"),
        ("postgresql://nobody@127.0.0.1:9/none", "Error: The database does not answer: "),
    ):
        bare = create_app(settings_for(url))
        done = bare.test_cli_runner().invoke(args=["users", *words])
        with bare.app_context():
            db.engine.dispose()
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(says)
        assert "Traceback" not in done.stderr
