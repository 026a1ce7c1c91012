"""What cannot work is refused with one sentence that says what to do; what only looks broken works."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from codyverse.core.embedded import EmbeddedPostgresError, account, cluster, keeper, programs
from tests.runtime.conftest import Hire
from tests.runtime.people import Person, is_quiet, kill_all, postmaster_of
from tests.waiting import eventually


@pytest.fixture
def small_disk(empty: Path) -> Iterator[Path]:
    """A disk of 200 MB; only root may make one, and not in every container."""
    disk = empty / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "none", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield disk
    kill_all(disk)
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_data_folder_that_cannot_be_written_to(hire: Hire) -> None:
    said = hire(Path("/dev/null/data")).fault("take")
    assert "/dev/null/data" in said
    assert "CODYVERSE_DATA" in said


def test_a_folder_of_somebody_else(folder: Path, hire: Hire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(EmbeddedPostgresError, match=r"belongs to .*: run this as the user who made it"):
        account.account_for(folder / "postgres" / "data")


def test_data_of_another_major_version(folder: Path, hire: Hire) -> None:
    (folder / "postgres" / "data" / "PG_VERSION").write_text("12\n")
    said = hire().fault("take")
    assert "written by PostgreSQL 12" in said
    assert "install PostgreSQL 12" in said


def test_a_folder_that_is_no_database(empty: Path, hire: Hire) -> None:
    (empty / "postgres" / "data").mkdir(parents=True)
    assert "holds no PostgreSQL database: move it away" in hire().fault("take")


def test_a_start_that_was_interrupted_is_begun_anew(empty: Path, hire: Hire) -> None:
    half = empty / "postgres" / "data.new.1.left"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("half of it")
    assert hire().take().sql("select 1") == [[1]]
    assert not half.exists()


def test_kill_9_during_the_first_start_loses_nothing(empty: Path, hire: Hire) -> None:
    hasty = hire()
    hasty.tell("take")
    assert eventually(lambda: any((empty / "postgres").glob("data.new.*")))
    hasty.kill()
    assert hire().take().sql("select 1") == [[1]]


def test_a_pid_file_left_behind_by_a_crash(folder: Path, hire: Hire) -> None:
    """After a restart of the machine its number may belong to any other program of the same user."""
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    left = folder / "postgres" / "data" / "postmaster.pid"
    left.write_text(f"{innocent.pid}\n{left.parent}\n1700000000\n5432\n{folder}\n\n  1  1\nready   \n")
    left.chmod(0o644)
    try:
        assert hire().take().sql("select 1") == [[1]]
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_server_that_somebody_else_started_on_the_folder(folder: Path, hire: Hire) -> None:
    data = folder / "postgres" / "data"
    owner = account.account_for(data)
    foreign = subprocess.Popen(
        [programs.find().path("postgres"), "-D", str(data), "-c", "listen_addresses=", "-c", f"unix_socket_directories={data}"],
        stderr=subprocess.DEVNULL, cwd=data, **owner.for_popen(),
    )  # fmt: skip
    try:
        assert eventually((data / "postmaster.pid").exists)
        said = hire().fault("take")
        assert f"Another PostgreSQL (process {foreign.pid})" in said
        assert "DATABASE_URL" in said
        assert foreign.poll() is None
    finally:
        foreign.send_signal(signal.SIGINT)
        foreign.wait()


def test_an_orphan_without_its_keeper_is_stopped_first(folder: Path, hire: Hire) -> None:
    """As on macOS, where nobody tells PostgreSQL that its keeper was killed."""
    data = folder / "postgres" / "data"
    made = cluster.prepare(folder / "postgres", throwaway=False)
    orphan = subprocess.Popen(
        made.command(made.socket_folder()), stderr=subprocess.DEVNULL, cwd=data, **made.account.for_popen()
    )
    assert eventually((data / "postmaster.pid").exists)
    person = hire().take()
    assert orphan.wait() == 0
    assert person.sql("select 1") == [[1]]


def test_a_disk_too_small_to_begin(small_disk: Path, hire: Hire) -> None:
    filling = small_disk / "filling"
    filling.write_bytes(b"\0" * 120_000_000)
    said = hire(small_disk).fault("take")
    assert said.startswith("The disk is full")
    assert "CODYVERSE_DATA" in said
    filling.unlink()
    assert hire(small_disk).take().sql("select 1") == [[1]]


def test_a_disk_that_is_full_later(small_disk: Path, hire: Hire) -> None:
    hire(small_disk).take().leave()
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filling").write_bytes(b"\0" * 300_000_000)
    said = hire(small_disk).fault("take")
    assert said.startswith("The disk is full")
    (small_disk / "filling").unlink()
    assert hire(small_disk).take().sql("select 1") == [[1]]


def test_no_postgresql_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_candidates", lambda: iter(()))
    with pytest.raises(EmbeddedPostgresError, match=r"No PostgreSQL was found: .* set DATABASE_URL"):
        programs.find()


def test_a_system_postgresql_is_taken_when_the_wheel_has_none(
    monkeypatch: pytest.MonkeyPatch, empty: Path
) -> None:
    wheel = programs.find()
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", ((str(empty), "*/bin"),))
    monkeypatch.setenv("PATH", "/nowhere")
    for version in ("9", "18"):
        (empty / version).mkdir()
        (empty / version / "bin").symlink_to(wheel.bin)
    assert programs.find().bin == empty / "18" / "bin"
    assert programs.find(wheel.major).major == wheel.major


def test_root_with_data_and_programs_under_a_closed_home(folder: Path, hire: Hire, as_root: None) -> None:
    """As in a container where everything lies in /root: PostgreSQL runs as nobody, who may not go there."""
    folder.chmod(0o700)
    person = hire().take()
    assert person.sql("select 1") == [[1]]
    assert postmaster_of(folder).uids().effective != 0
    person.sql("create table kept (n int)")
    person.leave()
    assert is_quiet(folder)
    folder.chmod(0o755)
    assert hire().take().sql("select count(*) from kept") == [[0]]


def test_root_runs_a_copy_of_programs_that_lie_in_a_closed_folder(
    empty: Path, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    found = programs.find()
    closed, cache = empty / "closed", empty / "cache"
    closed.mkdir(mode=0o700)
    cache.mkdir()
    for root in found.roots:
        subprocess.run(["cp", "-a", str(root), str(closed)], check=True)
    inside = programs.Programs(
        closed / found.bin.relative_to(found.roots[0].parent), found.major, found.version,
        tuple(closed / each.name for each in found.roots),
    )  # fmt: skip
    monkeypatch.setattr(account, "CACHE_FOLDERS", (cache,))
    nobody = account.account_for(empty / "data")
    copied = account.reachable_programs(inside, nobody)
    assert copied.bin.is_relative_to(cache)
    ran = subprocess.run(
        [copied.path("initdb"), "--version"], capture_output=True, check=True, **nobody.for_popen()
    )
    assert found.version in ran.stdout.decode()
    assert account.reachable_programs(inside, nobody) == copied


def test_the_log_stays_small(empty: Path) -> None:
    log = empty / "server.log"
    log.write_bytes(b"x" * (keeper.LARGEST_LOG + 1))
    orders = {
        "command": [], "data": str(empty), "socket": str(empty), "environment": {}, "account": {}, "users_lock": "",
        "log": str(log), "report": -1, "keeper_lock": -1, "remove": None,
    }  # fmt: skip
    keeper.Keeper(keeper.Orders(keeper.json.dumps(orders))).shorten_log()
    assert log.stat().st_size == 0
    assert (empty / "server.old").stat().st_size > keeper.LARGEST_LOG


@pytest.mark.drill
def test_fifty_crashes_lose_no_committed_row(folder: Path, hire: Hire) -> None:
    """kill -9 of everything at a random moment of steady writing, again and again."""
    hire().take().sql("create table kept (n int primary key)")
    written = 0
    for crash in range(50):
        person: Person = hire().take()
        assert person.sql("select coalesce(max(n), 0), count(*) from kept") == [[written, written]]
        end = time.monotonic() + 0.05 + (crash % 7) * 0.03
        while time.monotonic() < end:
            person.sql(f"insert into kept values ({written + 1})")
            written += 1
        kill_all(folder)
        person.kill()
    assert psutil.pid_exists(os.getpid())
