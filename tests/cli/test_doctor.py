"""flask doctor: each fault is seen, said, and sent to what mends it; a healthy site is called healthy."""

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import create_app, doctor, jobs
from codyverse.archives import prepared
from codyverse.core import job_runs
from codyverse.core.clock import now, standing_at
from codyverse.core.database import db, session, unit_of_work
from tests.cli.programs import flask
from tests.conftest import named, settings_for
from tests.domains.courses import samples
from tests.domains.study import Plan, make_course
from tests.factories import make_user


@pytest.fixture
def site(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Whose courses are one small one: to read all real ones takes longer than all else that is examined."""
    make_course(Plan())
    all_jobs_ran(now())
    content = samples.tea(tmp_path / "content")
    use(app, monkeypatch, data_dir=tmp_path, backup_dir=tmp_path / "backups", content_dir=content)
    return app


def all_jobs_ran(at: datetime, fault: str = "") -> None:
    for each in jobs.JOBS:
        job_runs.note(each.name, at, 0.1, "", fault)
    session.commit()
    session.remove()


def use(app: Flask, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Other settings from here on."""
    changed = app.extensions["settings"].model_copy(update=settings)
    monkeypatch.setitem(app.extensions, "settings", changed)


def examined(app: Flask, code: int = 0) -> dict[str, dict[str, str]]:
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["healthy"]) == (code, code == 0), told
    return {each["name"]: each for each in told["findings"]}


def test_a_healthy_site(site: Flask, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "new.codyverse").write_bytes(b"")
    found = examined(site)
    assert list(found) == [name for name, _ in doctor.CHECKS]
    assert {name: each["says"] for name, each in found.items() if each["state"] != "good"} == {}
    assert all(each["mend"] == "" for each in found.values())
    plain = site.test_cli_runner().invoke(args=["doctor"])
    assert (plain.exit_code, len(plain.stdout.splitlines())) == (0, len(found))


def test_the_words_for_people(site: Flask) -> None:
    result = site.test_cli_runner().invoke(args=["doctor"])
    lines = result.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "backups" in line)
    assert lines[at].startswith("  LOOK   backups        there is no backup in")
    assert lines[at + 1].strip().startswith("→ flask backup")
    assert "Example: flask doctor --json" in site.test_cli_runner().invoke(args=["doctor", "--help"]).output


FAULTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("pool", "up to 512 connections are wanted", "set POOL_MAX=", {"pool_max": 500, "web_threads": 4}),
    ("mail", "does not take mail", "check SMTP_URL", {"smtp_url": "smtp://127.0.0.1:9", "smtp_timeout_s": 1}),
    ("secrets", "cannot be read", "mend /nowhere/key", {"backup_key_file": Path("/nowhere/key")}),
    ("disk", "nothing can be written to /proc/nope", "BACKUP_DIR", {"backup_dir": Path("/proc/nope")}),
    (
        *("provider", "http://127.0.0.1:9 does not answer", "check OIDC_ISSUER"),
        {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": "x", "oidc_client_secret": "y"},
    ),
    (
        *("pg_dump", "backups cannot be made: pg_dump failed: ", "check DATABASE_URL"),
        {"stream_database_url": "postgresql://nobody@127.0.0.1:9/none"},
    ),
    ("cache", "Valkey or Redis is", "check REDIS_URL", {"redis_url": "redis://127.0.0.1:9/0"}),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[each[0] for each in FAULTS])
def test_faults_of_settings(
    site: Flask, monkeypatch: pytest.MonkeyPatch, fault: tuple[str, str, str, dict[str, Any]]
) -> None:
    name, says, mend, settings = fault
    if name == "cache":
        monkeypatch.setattr(doctor.cache.Levels, "state", lambda _self: "offline")
    use(site, monkeypatch, **settings)
    found = examined(site, code=1)[name]
    assert found["state"] == "fault"
    assert says in found["says"]
    assert mend in found["mend"]


def test_a_secret_that_others_can_read(site: Flask, tmp_path: Path) -> None:
    key = tmp_path / "secret-key"
    key.write_text("x" * 64)
    key.chmod(0o644)
    assert examined(site, code=1)["secrets"]["mend"] == f"chmod 600 {key}"
    key.chmod(0o600)
    assert examined(site)["secrets"]["state"] == "good"


def test_the_key_of_the_backups(site: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "backup.key"
    use(site, monkeypatch, backup_key_file=key)
    key.write_text("short")
    key.chmod(0o600)
    found = examined(site, code=1)["secrets"]
    assert (found["state"], f"The key in {key} is too short" in found["says"]) == ("fault", True)
    key.write_text("long enough to be a key")
    for mode in (0o666, 0o604, 0o620):
        key.chmod(mode)
        assert examined(site, code=1)["secrets"]["mend"] == f"chmod o-rwx,g-w {key}"
    key.chmod(0o640)  # as docs/operate.md has it: root's, readable by the site's group
    assert examined(site)["secrets"]["state"] == "good"


def test_replicas(cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that is away, and one that is no replica."""
    urls = f"postgresql://nobody@127.0.0.1:9/none {named(cluster, 'postgres')}"
    made = create_app(
        settings_for(named(cluster, "postgres"), REPLICA_URLS=urls, REDIS_URL="redis://127.0.0.1:9/0")
    )
    with made.app_context():
        found = {each.name: each for each in doctor.examine()}["replicas"]
        db.engine.dispose()
    assert (found.state, "replica-1 is away: " in found.says) == ("fault", True)
    assert "replica-2 is away: it is no replica" in found.says
    assert "REPLICA_URLS" in found.mend


def test_migrations(site: Flask) -> None:
    session.execute(text("update alembic_version set version_num = '0001'"))
    session.commit()
    assert examined(site, code=1)["migrations"]["mend"] == "flask db upgrade"
    session.execute(text("update alembic_version set version_num = '9999'"))
    session.commit()
    found = examined(site, code=1)["migrations"]
    assert "used by a newer one" in found["says"]
    assert found["mend"] == "install the version that was here before"


def a_mail_is_late() -> None:
    session.execute(
        text("""
            insert into mails (recipient, kind, source, context, created_at, expires_at, next_try_at)
            values ('a@example.org', 'digest', 'x', '{}', :at, :at, :at)
        """),
        {"at": now() - timedelta(hours=1)},
    )
    session.commit()


def test_work_that_nobody_does(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    a_mail_is_late()
    use(site, monkeypatch, smtp_url="smtp://127.0.0.1:9", smtp_timeout_s=1)
    found = examined(site, code=1)["worker"]
    assert "1 mail and 0 webhooks should have been sent" in found["says"]
    assert "flask worker" in found["mend"]


def test_an_export_that_nobody_prepares(site: Flask) -> None:
    with standing_at(now() - timedelta(hours=1)):
        who = make_user()
        with unit_of_work():
            prepared.ask(who)
    found = examined(site, code=1)["worker"]
    assert "1 export should have been prepared" in found["says"]
    assert "flask worker" in found["mend"]
    jobs.run("exports")
    assert examined(site)["worker"]["state"] == "good"


def test_without_a_mail_server_mails_wait_by_right(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    a_mail_is_late()
    found = examined(site)
    assert (found["worker"]["state"], found["mail"]["state"]) == ("good", "good")
    assert "/dev/mail" in found["mail"]["says"]
    use(site, monkeypatch, environment="production")
    found = examined(site)
    assert (found["worker"]["state"], found["mail"]["state"]) == ("good", "look")
    assert "mails stay unsent" in found["mail"]["says"]


def test_a_worker_that_is_not_there(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """In development it is to be looked at; where strangers come it is a fault."""

    def seen() -> str:
        assert examined(site)["worker"]["state"] == "look"
        with monkeypatch.context() as patch:
            use(site, patch, environment="production")
            found = examined(site, code=1)["worker"]
        assert (found["state"], "flask worker" in found["mend"]) == ("fault", True)
        return found["says"]

    session.execute(text("delete from job_runs"))
    session.commit()
    assert seen().startswith("no worker ever ran here")
    all_jobs_ran(now() - timedelta(hours=3))
    says = seen()
    assert "these should have run again: streak-reminders, digests, mails, webhooks" in says
    all_jobs_ran(now())
    assert examined(site)["worker"]["state"] == "good"
    use(site, monkeypatch, metrics_every_s=10)
    assert seen() == "no worker was heard of in the last minutes"
    for kind in ("web", "worker"):
        session.execute(
            text("""
                insert into instances (name, kind, started_at, seen_at, every, memory, memory_limit, cpu, threads, busy,
                                       pool_in_use, pool_most, streams)
                values (:kind, :kind, now(), :at, 10, 1, 2, 0, 1, 0, 0, 1, 0)
            """),
            {"kind": kind, "at": now()},
        )
        session.commit()
        assert examined(site)["worker"]["state"] == ("good" if kind == "worker" else "look")


def test_jobs_that_fail_again_and_again(site: Flask) -> None:
    for _ in range(3):
        assert examined(site)["worker"]["state"] == "good"
        all_jobs_ran(now(), fault="KeyError")
    found = examined(site, code=1)["worker"]
    assert "streak-reminders (KeyError)" in found["says"]
    assert "flask jobs list" in found["mend"]


def test_courses(site: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "course").mkdir(parents=True)
    (broken / "course" / "course.md").write_text("nothing")
    use(site, monkeypatch, content_dir=broken)
    assert examined(site, code=1)["content"]["mend"] == f"flask content lint {broken}"
    session.execute(text("update courses set retired_at = now()"))
    session.commit()
    assert examined(site, code=1)["content"]["mend"] == "flask content apply"


def test_the_disk(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def room(free: int) -> None:
        usage = doctor.shutil.disk_usage("/")._replace(free=free)
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _folder: usage)

    room(500 << 20)
    assert examined(site)["disk"]["state"] == "look"
    room(100 << 20)
    assert examined(site, code=1)["disk"]["state"] == "fault"


def test_old_backups(site: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    kept = folder / "old.codyverse"
    kept.write_bytes(b"")
    os.utime(kept, (time.time() - 8 * 86_400,) * 2)
    assert examined(site)["backups"]["state"] == "look"
    public = {"environment": "production", "base_url": "https://learn.example.org", "backup_dir": folder}
    use(site, monkeypatch, **public)
    found = examined(site, code=1)
    assert found["backups"]["says"] == "the newest one is 192 hours old (old.codyverse)"
    assert found["proxy"]["state"] == "look"
    assert found["mail"]["state"] == "look"


@pytest.mark.parametrize("folder", ["", "backups"])
def test_a_damaged_list_of_the_erased(site: Flask, tmp_path: Path, folder: str) -> None:
    damaged = tmp_path / folder / "erasures.txt"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"\xff")
    found = examined(site, code=1)["backups"]
    assert f"{damaged}, the list of those who were erased, is damaged" in found["says"]


def test_without_a_database(cluster: str) -> None:
    """Every check says something; nothing else goes wrong."""
    for url, name, says in (
        ("postgresql://nobody@127.0.0.1:9/none", "database", "could not be looked at: connection to server"),
        (named(cluster, "postgres"), "migrations", "the tables are not there yet"),
    ):
        bare = create_app(settings_for(url))
        with bare.app_context():
            found = {each.name: each for each in doctor.examine()}
            db.engine.dispose()
        assert found[name].state == "fault"
        assert says in found[name].says
        assert len(found) == len(doctor.CHECKS)


def test_as_a_program(committed_app: Flask) -> None:
    done = flask(committed_app.extensions["settings"].database_url, "doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["healthy"]) == (1, False)
    assert "flask content apply" in done.stdout
    assert "Traceback" not in done.stderr


def test_clocks(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(doctor.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) - timedelta(minutes=1)

    monkeypatch.setattr(doctor, "datetime", Late)
    assert examined(site, code=1)["clock"]["mend"] == "timedatectl set-ntp true"
