"""flask backup and flask restore: one file, proved before it counts; whatever is wrong with it, nothing is touched."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from psycopg2.extensions import parse_dsn
from sqlalchemy import text
from sqlalchemy.engine import make_url

from codyverse.backups import container, postgres, restoring
from codyverse.core.database import session, unit_of_work
from codyverse.gamification import services as gamification
from tests.cli.programs import flask
from tests.cli.restored import empty_site, run, tables
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user

FIXTURES = Path(__file__).parents[1] / "fixtures"


def state() -> list[str]:
    found = []
    for name in ("users", "ledger_entries", "players", "answers", "lessons", "step_revisions"):
        rows = session.execute(
            text(f"select coalesce(string_agg(t::text, '|' order by t::text), '') from {name} t")
        )
        found.append(rows.scalar_one())
    session.remove()
    return found


def test_there_and_back(site: Flask, backup: Path, cluster: str) -> None:
    before = state()
    assert backup.stat().st_mode & 0o077 == 0
    assert [path.name for path in backup.parent.iterdir() if path.suffix == ".part"] == []
    with empty_site(cluster) as fresh:
        result = run(fresh, "restore", str(backup), "--verify")
        assert (result.exit_code, "Proved: counts, courses and ledger agree." in result.output) == (0, True)
        assert state() == before
        assert gamification.verify_ledger() == ()
        again = run(fresh, "restore", str(backup))
        assert (again.exit_code, "The database is not empty" in again.output) == (1, True)
        assert state() == before


def test_encrypted(site: Flask, tmp_path: Path, key: Path, cluster: str) -> None:
    path = tmp_path / "sealed.codyverse"
    made = run(site, "backup", str(path), "--key-file", str(key))
    assert ", encrypted, read back and proved." in made.output
    assert b"ada@example.org" not in path.read_bytes()
    assert run(site, "backup", str(path), "--check", "--key-file", str(key)).exit_code == 0
    wrong = tmp_path / "wrong"
    wrong.write_text("another-key-of-the-tests-98765")
    short = tmp_path / "short"
    short.write_text("short")
    with empty_site(cluster) as fresh:
        for words, says in (
            ((), "The backup is encrypted: name the file with its key"),
            (("--key-file", str(wrong)), "cannot be opened. The key does not fit, or the file is damaged."),
            (("--key-file", str(short)), "is too short: write at least 16 characters"),
            (("--key-file", "/dev/zero"), "holds more than 65536 bytes, so it is no key"),
            (("--key-file", str(tmp_path / "none")), "cannot be read: No such file or directory."),
        ):
            refused = run(fresh, "restore", str(path), *words)
            assert (refused.exit_code, says in refused.output) == (1, True), refused.output
            assert tables(fresh) == 0
        assert run(fresh, "restore", str(path), "--key-file", str(key), "--verify").exit_code == 0


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def without_its_last_frame(data: bytes) -> bytes:
    file, at = data.split(b"\n", 2), 0
    body = file[2]
    ends = []
    while at < len(body):
        at += 5 + int.from_bytes(body[at + 1 : at + 5], "big")
        ends.append(at)
    assert len(ends) > 1
    return b"\n".join([*file[:2], body[: ends[-2]]])


def flipped(where: float) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        at = int(len(data) * where)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return flip


DAMAGE: list[tuple[Callable[[bytes], bytes], str]] = [
    (cut, "is cut off"),
    (lambda data: data[:-1], "is cut off"),
    (without_its_last_frame, "is cut off"),
    (lambda data: data[:40], "is damaged at its beginning"),
    (lambda _: b"", "is no backup of Cody Verse"),
    (lambda data: data + b"x", "is damaged: something follows its end"),
    (flipped(0.5), "is damaged"),
    (flipped(0.9999), "is damaged"),
    (lambda data: data.replace(b'"version": "0.1.0"', b'"version": "0.0.9"', 1), "is damaged"),
    (
        lambda data: data.replace(b"codyverse-backup 1", b"codyverse-backup 2", 1),
        "newer version of Cody Verse",
    ),
]


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_what_is_damaged_is_refused_and_touches_nothing(backup: Path, cluster: str, number: int) -> None:
    damage, says = DAMAGE[number]
    backup.write_bytes(damage(backup.read_bytes()))
    with empty_site(cluster) as fresh:
        refused = run(fresh, "restore", str(backup), "--verify")
        assert (refused.exit_code, says in refused.output) == (1, True), refused.output
        assert tables(fresh) == 0


def test_no_single_bit_goes_unseen(tmp_path: Path) -> None:
    """Every bit of a small file, both ways of sealing."""
    for salt, key in ((None, None), ("00" * 16, b"a-key-of-the-tests")):
        head = container.Head("0.1.0", "0040", "2026-11-28T00:00:00+00:00", salt)
        path = tmp_path / "small"
        with path.open("wb") as file:
            container.write(file, head, [b"something", b"more"], key)
        whole = path.read_bytes()
        begin, step = (len(head.encoded()) * 8, 61) if salt else (0, 1)  # each try of a key takes its time
        for bit in range(begin, len(whole) * 8, step):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            with path.open("rb") as file, pytest.raises(container.Unusable):
                list(container.read_parts(file, "small", container.read_head(file, "small"), key))


def test_one_of_a_newer_version(backup: Path, cluster: str) -> None:
    for change in ({"version": "99.0.0"}, {"migration": "9999"}):
        with backup.open("rb") as file:
            head = container.read_head(file, "it")
            parts = list(container.read_parts(file, "it", head, None))
        told = {name: getattr(head, name) for name in ("version", "migration", "made", "salt")} | change
        newer = backup.with_name("newer")
        with newer.open("wb") as file:
            container.write(file, container.Head(**told), parts, None)
        with empty_site(cluster) as fresh:
            refused = run(fresh, "restore", str(newer))
            assert refused.exit_code == 1
            assert "which is older: install at least that version, then restore." in refused.output
            assert tables(fresh) == 0


def test_while_learners_are_at_work(site: Flask, tmp_path: Path, cluster: str) -> None:
    """What is restored is one moment: every entry with its sum, whatever was written meanwhile."""
    lessons = make_course(*[Plan(asks=1)] * 12)
    learners = [make_user() for _ in range(3)]
    session.remove()
    begun, path = threading.Event(), tmp_path / "busy.codyverse"

    def work(user_id: int) -> None:
        with site.app_context():
            for lesson in lessons:
                do_lesson(user_id, lesson)
                begun.set()
            session.remove()

    threads = [threading.Thread(target=work, args=(user_id,)) for user_id in learners]
    for thread in threads:
        thread.start()
    begun.wait(60)
    low = session.execute(text("select count(*) from ledger_entries")).scalar_one()
    session.remove()
    made = run(site, "backup", str(path), "--json")
    for thread in threads:
        thread.join()
    high = session.execute(text("select count(*) from ledger_entries")).scalar_one()
    session.remove()
    counted = json.loads(made.output)["rows"]["ledger_entries"]
    assert low <= counted <= high
    with empty_site(cluster) as fresh:
        assert run(fresh, "restore", str(path), "--verify").exit_code == 0
        assert session.execute(text("select count(*) from ledger_entries")).scalar_one() == counted


def test_a_restored_database_that_does_not_agree_is_told(site: Flask, tmp_path: Path, cluster: str) -> None:
    path = tmp_path / "wrong.codyverse"
    with unit_of_work():
        session.execute(text("update players set coins = coins + 1"))
    assert run(site, "backup", str(path)).exit_code == 0
    with empty_site(cluster) as fresh:
        result = run(fresh, "restore", str(path), "--verify")
        assert (result.exit_code, "ledger: learner" in result.output) == (1, True)


def told_otherwise(url: str, folder: Path) -> dict[str, dict[str, str]]:
    """The same database, in ways that libpq and the site understand."""
    to = make_url(url)
    host, passwords, services = to.query["host"], folder / "passwords", folder / "services"
    passwords.write_text("*:*:*:*:none\n")
    passwords.chmod(0o600)
    services.write_text(f"[cody]\nhost={host}\nuser={to.username}\ndbname={to.database}\n")
    query = f"host={host}&user={to.username}&password=none&sslmode=disable&options=-csearch_path%3Dpublic"
    files = {"PGPASSFILE": str(passwords)}
    return {
        "in the query": {"DATABASE_URL": f"postgresql:///{to.database}?{query}"},
        "in the environment": {"DATABASE_URL": f"postgresql:///{to.database}", "PGUSER": str(to.username)}
        | {"PGHOST": str(host)}
        | files,
        "as a service": {"DATABASE_URL": "postgresql:///?service=cody", "PGSERVICEFILE": str(services)}
        | files,
    }


def test_a_backup_reaches_whatever_database_the_site_reaches(
    site: Flask, cluster: str, tmp_path: Path
) -> None:
    url = site.extensions["settings"].database_url
    for number, (way, env) in enumerate(told_otherwise(url, tmp_path).items()):
        made = flask("", "backup", str(tmp_path / f"{number}.codyverse"), **env)
        assert made.returncode == 0, (way, made.stderr)
        doctor = json.loads(flask("", "doctor", "--json", **env).stdout)
        states = {each["name"]: each["state"] for each in doctor["findings"]}
        assert (states["database"], states["pg_dump"]) == ("good", "good"), (way, doctor)
    with empty_site(cluster) as fresh:
        env = told_otherwise(fresh.extensions["settings"].database_url, tmp_path)["as a service"]
        env |= {"CODYVERSE_DATA": str(tmp_path / "data")}
        restored = flask("", "restore", "--verify", str(tmp_path / "0.codyverse"), **env)
        assert restored.returncode == 0, restored.stderr


def test_no_password_stands_on_a_command_line() -> None:
    url = "postgresql+psycopg2://ada:s3cret%40x@db/cody?sslmode=verify-full&sslrootcert=/etc/a b.pem"
    told = postgres.target(f"{url}&sslcert=/c&sslkey=/k&options=-csearch_path%3Dx")
    assert "s3cret" not in told.words
    assert told.environment["PGPASSWORD"] == "s3cret@x"
    assert parse_dsn(told.words) == {
        "user": "ada",
        "host": "db",
        "dbname": "cody",
        "sslmode": "verify-full",
        "sslcert": "/c",
        "sslrootcert": "/etc/a b.pem",
        "sslkey": "/k",
        "options": "-csearch_path=x",
    }
    with pytest.raises(container.Unusable, match="use a key file without a password"):
        postgres.target(f"{url}&sslpassword=x")


def test_names_and_places(site: Flask, backup: Path, tmp_path: Path) -> None:
    taken = run(site, "backup", str(backup))
    assert (taken.exit_code, "exists already" in taken.output) == (1, True)
    blocked = run(site, "backup", str(backup / "in-a-file"))
    assert (blocked.exit_code, "cannot be written" in blocked.output) == (1, True)
    assert run(site, "backup", str(backup), "--check").output == f"{backup} is whole and can be read.\n"
    assert run(site, "backup", "--check").exit_code == 2
    assert run(site, "restore", str(tmp_path / "none")).exit_code == 1
    assert run(site, "restore").exit_code == 2
    for command in ("backup", "restore"):
        assert "Example: " in run(site, command, "--help").output


def test_into_the_folder_of_the_settings(site: Flask, tmp_path: Path, key: Path) -> None:
    url = site.extensions["settings"].database_url
    folder = tmp_path / "kept"
    done = flask(url, "backup", BACKUP_DIR=str(folder), BACKUP_KEY_FILE=str(key))
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("*.codyverse")
    assert made == restoring.newest(folder)
    assert ", encrypted, " in done.stdout
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("backup-*.codyverse")), ids=lambda path: path.stem)
def test_backups_of_every_version_are_restored(path: Path, cluster: str) -> None:
    with empty_site(cluster) as fresh:
        result = run(fresh, "restore", str(path), "--verify")
        assert result.exit_code == 0, result.output
        people = session.execute(text("select count(*) from users")).scalar_one()
        assert people == 3


def test_there_is_one_of_the_first_version() -> None:
    assert (FIXTURES / "backup-0.1.0.codyverse").is_file()
