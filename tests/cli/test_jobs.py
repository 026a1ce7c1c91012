"""flask jobs and flask worker; mails over a real SMTP server on loopback; each job locked, repeatable, killable."""

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from apscheduler.triggers.cron import CronTrigger
from flask import Flask
from flask.testing import FlaskCliRunner

from codyverse import create_app, jobs
from codyverse.core.clock import now, standing_at
from codyverse.core.database import db, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.core.locks import only_one
from codyverse.notifications import post, queries, rules, services
from config import ROOT
from tests.conftest import settings_for
from tests.factories import make_user
from tests.ports import free_port


@dataclass
class PostOffice:
    """A mail server that keeps what it gets; `answers` are what it says to the next mails instead of taking them."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        made = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(made, EmailMessage)
        self.mails.append(made)
        return "250 OK"


@pytest.fixture
def office() -> Iterator[tuple[PostOffice, int]]:
    taken = PostOffice()
    port = free_port()
    controller = Controller(taken, hostname="127.0.0.1", port=port)
    controller.start()
    yield taken, port
    controller.stop()


@pytest.fixture
def posted(committed_app: Flask, office: tuple[PostOffice, int]) -> Iterator[tuple[Flask, PostOffice]]:
    """The application with that mail server, on a database of its own."""
    url = committed_app.extensions["settings"].database_url
    more = {
        "SMTP_URL": f"smtp://127.0.0.1:{office[1]}",
        "SMTP_TIMEOUT_S": "2",
        "MAIL_FROM": "Cody <cody@learn.example.org>",
        "BASE_URL": "https://learn.example.org",
    }
    made = create_app(settings_for(url, **more))
    with made.app_context():
        yield made, office[0]
        db.session.remove()
        db.engine.dispose()


def reader(number: int = 1) -> int:
    made = make_user(email=f"reader{number}@example.org", name="Ada")
    at = now() - timedelta(hours=1)
    with unit_of_work():
        services.choose(made, page_off=(), mail_kinds=rules.KINDS, mail_hour=0, quiet=None)
        services.tell("level", "level:2", {"level": 2, "name": "Beginner", "gems": 2}, [made], at)
    return made


def write_digests() -> None:
    with unit_of_work():
        post.write_digests(now())


def test_a_digest_as_it_arrives(posted: tuple[Flask, PostOffice]) -> None:
    _, office = posted
    who = reader()
    write_digests()
    assert jobs.run("mails") == "1 mail sent."
    assert jobs.run("mails") == ""
    [mail] = office.mails
    token = queries.choices(who).unsubscribe_token
    address = f"https://learn.example.org/mails/unsubscribe/{token}"
    assert mail["To"] == "reader1@example.org"
    assert mail["From"] == "Cody <cody@learn.example.org>"
    assert mail["Subject"] == "Level 2: Beginner"
    assert mail["List-Unsubscribe"] == f"<{address}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@learn.example.org>")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    said = plain.get_content().replace("\r\n", "\n")
    begin = (
        "Hello Ada,\n\nthis happened since your last visit:\n\n* Level 2: Beginner\n  It brings 2 gems.\n\n"
    )
    assert said.startswith(begin)
    assert "https://learn.example.org/notifications\n" in said
    assert f'<a href="{address}">' in html.get_content()
    assert "<strong>Level 2: Beginner</strong>" in html.get_content()


def test_a_server_that_is_busy_is_tried_again_and_one_that_refuses_is_not(
    posted: tuple[Flask, PostOffice],
) -> None:
    _, office = posted
    reader(1)
    reader(2)
    write_digests()
    office.answers = ["451 come back later", "550 nobody here"]
    assert jobs.run("mails") == "2 mails refused."
    assert jobs.run("mails") == "", "not at once"
    with standing_at(now() + timedelta(minutes=2)):
        assert jobs.run("mails") == "1 mail sent."
    assert sorted(mail.fault for mail in queries.kept_mails()) == ["", "550 nobody here"]
    with standing_at(now() + timedelta(hours=3)):
        assert jobs.run("mails") == ""
    assert len(office.mails) == 1


def test_no_server_at_that_address(posted: tuple[Flask, PostOffice]) -> None:
    app, office = posted
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"smtp_url": "smtp://127.0.0.1:9"})
    reader()
    write_digests()
    done = app.test_cli_runner().invoke(args=["jobs", "run", "mails"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: The mail server does not answer (127.0.0.1:9:")
    app.extensions["settings"] = settings
    with standing_at(now() + timedelta(minutes=2)):
        assert jobs.run("mails") == "1 mail sent."
    assert len(office.mails) == 1


def test_no_password_goes_over_an_open_line(posted: tuple[Flask, PostOffice]) -> None:
    from codyverse.core.smtp import MailServer

    app, _ = posted
    port = app.extensions["settings"].smtp_url.rpartition(":")[2]
    elsewhere = MailServer.at(f"smtp://ada:secret@127.0.0.1.:{port}", 2)
    with pytest.raises((smtplib.SMTPNotSupportedError, OSError)):
        elsewhere._open()


def test_without_a_mail_server_mails_are_kept(committed_app: Flask) -> None:
    reader()
    write_digests()
    assert jobs.run("mails") == ""
    assert post.waiting() == 1


# --- the commands ---


def test_the_list(app: Flask) -> None:
    run = app.test_cli_runner()
    done = run.invoke(args=["jobs", "list"])
    assert done.exit_code == 0
    for each in jobs.JOBS:
        assert each.does in done.output
        assert each.schedule in done.output
        CronTrigger.from_crontab(each.schedule)
    told = json.loads(run.invoke(args=["jobs", "list", "--json"]).output)
    assert [each["name"] for each in told] == [each.name for each in jobs.JOBS]
    assert len({each.name for each in jobs.JOBS}) == len(jobs.JOBS)


def test_every_job_can_be_run_and_run_again(committed_app: Flask) -> None:
    run: FlaskCliRunner = committed_app.test_cli_runner()
    for each in jobs.JOBS:
        for _ in range(2):
            done = run.invoke(args=["jobs", "run", each.name])
            assert done.exit_code == 0, done.output
    assert run.invoke(args=["jobs", "run", each.name]).output == "Nothing was due.\n"


def test_an_unknown_job(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["jobs", "run", "nonsense"])
    assert done.exit_code == 1
    assert "There is no job nonsense" in done.stderr


def test_a_job_runs_once_at_a_time(committed_app: Flask) -> None:
    with only_one("job:digests") as mine:
        assert mine
        with pytest.raises(Conflict):
            jobs.run("digests")
        assert jobs.run("mails") == ""
    assert jobs.run("digests") == ""


def test_the_worker_runs_jobs_and_stops_when_asked(
    committed_app: Flask, office: tuple[PostOffice, int]
) -> None:
    """The real process: it sends a mail, then ends on SIGTERM."""
    settings = committed_app.extensions["settings"]
    reader()
    write_digests()
    keep = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    env = keep | {
        "CODYVERSE_ENV": "testing",
        "DATABASE_URL": settings.database_url,
        "SMTP_URL": f"smtp://127.0.0.1:{office[1]}",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "worker"], cwd=ROOT, env=env, stdout=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 120
        while not office[0].mails and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.2)
        assert len(office[0].mails) == 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
