"""flask backup and flask restore: one file, proved before it counts; whatever is wrong with it, nothing is touched."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from psycopg2.extensions import parse_dsn
from sqlalchemy import text
from sqlalchemy.engine import make_url

from codyverse import create_app
from codyverse.accounts import people
from codyverse.archives import erasures
from codyverse.backups import container, postgres, restoring
from codyverse.core.database import db, session, unit_of_work
from codyverse.gamification import services as gamification
from tests.cli.programs import flask
from tests.conftest import drop_database, make_database, settings_for
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user

FIXTURES = Path(__file__).parents[1] / "fixtures"
_numbers = itertools.count(1)


def run(app: Flask, *words: str) -> Result:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@contextmanager
def empty_site(cluster: str) -> Iterator[Flask]:
    """The application on a database without tables."""
    name = f"cv_restored_{next(_numbers)}"
    url = make_database(cluster, name, like=None)
    made = create_app(settings_for(url, STATEMENT_TIMEOUT_MS="60000"))
    with made.app_context():
        try:
            yield made
        finally:
            session.remove()
            db.engine.dispose()
    drop_database(cluster, name)


def tables(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return connection.execute(
            text("select count(*) from information_schema.tables where table_schema = 'public'")
        ).scalar_one()


@pytest.fixture
def site(committed_app: Flask) -> Flask:
    [lesson, _] = make_course(Plan(asks=2), Plan(asks=1))
    do_lesson(make_user(email="ada@example.org"), lesson)
    session.remove()
    return committed_app


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("a-key-of-the-tests-0123456789\n")
    return path


@pytest.fixture
def backup(site: Flask, tmp_path: Path) -> Path:
    path = tmp_path / "one.codyverse"
    result = run(site, "backup", str(path))
    assert result.exit_code == 0, result.output
    return path


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


def keep_data_in(app: Flask, folder: Path) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"data_dir": folder})


def test_nobody_comes_back_with_a_backup(site: Flask, cluster: str, tmp_path: Path) -> None:
    """Erased after the backup was made: restored, they are erased again, by the list outside of the database."""
    path = tmp_path / "before.codyverse"
    keep_data_in(site, tmp_path)
    assert run(site, "backup", str(path)).exit_code == 0
    with unit_of_work():
        people.erase(
            session.execute(text("select id from users where email = 'ada@example.org'")).scalar_one()
        )
    erasures.write_down()
    with empty_site(cluster) as fresh:
        keep_data_in(fresh, tmp_path)
        result = run(fresh, "restore", str(path), "--verify")
        assert result.exit_code == 0, result.output
        assert "Erased again: 1 account," in result.stderr
        assert "Warning" not in result.stderr
        assert "ada@example.org" not in session.execute(text("select email from users")).scalars().all()
        assert gamification.verify_ledger() == ()


def test_on_a_new_machine_the_list_beside_the_backups_counts(
    site: Flask, cluster: str, tmp_path: Path
) -> None:
    """Every backup brings the list in its folder up to date, so the newest one serves older ones too."""
    old = tmp_path / "kept" / "old.codyverse"
    keep_data_in(site, tmp_path / "data")
    assert run(site, "backup", str(old)).exit_code == 0
    assert (old.parent / "erasures.txt").read_text() == ""
    assert run(site, "users", "erase", "ada@example.org", "--now", "--yes").exit_code == 0
    assert run(site, "backup", str(old.with_name("new.codyverse"))).exit_code == 0
    with empty_site(cluster) as fresh:
        keep_data_in(fresh, tmp_path / "new-machine")
        result = run(fresh, "restore", str(old))
        assert result.exit_code == 0, result.output
        assert "Erased again: 1 account," in result.stderr
        assert (
            f"Warning: the list of those who were erased, {tmp_path / 'new-machine' / 'erasures.txt'},"
            in result.stderr
        )
        assert f"only those in {old.parent / 'erasures.txt'}" in result.stderr
        assert "ada@example.org" not in session.execute(text("select email from users")).scalars().all()


def test_a_restore_without_any_list_says_so(site: Flask, backup: Path, cluster: str, tmp_path: Path) -> None:
    backup.with_name("erasures.txt").unlink()
    with empty_site(cluster) as fresh:
        url = fresh.extensions["settings"].database_url
        words = ("restore", str(backup), "--verify")
        done = flask(url, *words, CODYVERSE_DATA=str(tmp_path / "none"), SLOW_QUERY_MS="1", LOG_LEVEL="INFO")
    assert done.returncode == 0, done.stderr
    [erased, warned] = done.stderr.splitlines()
    assert erased == "Erased again: 0 accounts, gone after the backup was made."
    assert "was not there: nobody who was erased after the backup could be" in warned


DAMAGED = {
    "no text": b"\xff\xfe\x00rubbish\n",
    "cut off": b"a" * 64 + b"\n" + b"b" * 30,
    "something else": "no hash at all, für niemanden\n".encode(),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_list_is_found_before_anything_is_restored(
    backup: Path, cluster: str, tmp_path: Path, what: str
) -> None:
    damaged = (tmp_path / "data" if what == "no text" else backup.parent) / "erasures.txt"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(DAMAGED[what])
    with empty_site(cluster) as fresh:
        keep_data_in(fresh, tmp_path / "data")
        result = run(fresh, "restore", str(backup), "--verify")
        assert result.exit_code == 1
        assert f"Error: {damaged}, the list of those who were erased, is damaged: entry " in result.output
        assert "Put a whole copy in its place" in result.output
        assert result.output.endswith("Nothing was restored.\n")
        assert tables(fresh) == 0
    damaged.unlink()
    with empty_site(cluster) as fresh:
        keep_data_in(fresh, tmp_path / "data")
        assert run(fresh, "restore", str(backup)).exit_code == 0


def test_a_list_that_cannot_be_written_down_costs_no_answer(site: Flask, tmp_path: Path) -> None:
    keep_data_in(site, tmp_path)
    kept = tmp_path / "erasures.txt"
    kept.write_bytes(b"\xff")
    erased = run(site, "users", "erase", "ada@example.org", "--now", "--yes")
    assert (erased.exit_code, "Receipt: " in erased.output) == (1, True)
    assert "It is erased. But " in erased.output
    made = run(site, "backup", str(tmp_path / "new.codyverse"))
    assert (made.exit_code, "but not the list beside it" in made.output) == (1, True)
    assert kept.read_bytes() == b"\xff"
    kept.unlink()
    kept.mkdir()
    unreadable = run(site, "restore", str(tmp_path / "new.codyverse"))
    assert (unreadable.exit_code, "cannot be read: " in unreadable.output) == (1, True)


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
