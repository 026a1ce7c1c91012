"""Who was erased does not come back with a backup: the list of the erased lies outside of the database, beside the backups."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import people
from codyverse.archives import erasures
from codyverse.core.database import session, unit_of_work
from codyverse.gamification import services as gamification
from tests.cli.programs import flask
from tests.cli.restored import empty_site, keep_data_in, run, tables


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
