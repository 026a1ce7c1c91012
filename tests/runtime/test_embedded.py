"""One PostgreSQL for all users of a folder, stopped after the last, whatever happens to them."""

import fcntl
import os
import signal
import time
from pathlib import Path

import psutil

from tests.runtime.conftest import Hire
from tests.runtime.people import (
    answers,
    is_quiet,
    keeper_of,
    kill_all,
    postmaster_of,
    processes_of,
)
from tests.waiting import eventually


def test_two_users_share_one_server_and_the_last_stops_it(folder: Path, hire: Hire) -> None:
    first, second = hire().take(), hire().take()
    assert first.url == second.url
    first.sql("create table kept (n int)")
    server = postmaster_of(folder)
    first.leave()
    assert second.sql("insert into kept values (1) returning n") == [[1]]
    assert server.is_running()
    second.leave()
    assert is_quiet(folder)  # at once: whoever leaves last waits for the end
    assert hire().take().sql("select n from kept") == [[1]]


def test_releasing_last_waits_for_the_end_and_releasing_first_does_not_stop(folder: Path, hire: Hire) -> None:
    first, second = hire().take(), hire().take()
    first.ask("release")
    assert second.sql("select 1") == [[1]]
    second.ask("release")
    assert is_quiet(folder)


def test_kill_9_of_every_user_stops_the_server_and_loses_nothing(folder: Path, hire: Hire) -> None:
    people = [hire().take() for _ in range(3)]
    people[0].sql("create table kept (n int)")
    people[1].sql("insert into kept values (7)")
    for each in people:
        each.kill()
    assert eventually(lambda: is_quiet(folder))
    assert hire().take().sql("select n from kept") == [[7]]


def test_kill_9_of_users_and_keeper_leaves_nothing_and_loses_nothing(folder: Path, hire: Hire) -> None:
    person = hire().take()
    person.sql("create table kept (n int)")
    person.sql("insert into kept values (8)")
    keeper_of(folder).kill()
    person.kill()
    assert eventually(lambda: is_quiet(folder))
    assert hire().take().sql("select n from kept") == [[8]]


def is_held(lock_file: Path, kind: int) -> bool:
    """Whether somebody holds the lock so that it could not be had as `kind`."""
    with lock_file.open("r+b") as lock:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_killed_keeper_is_replaced_while_the_old_server_still_stops(folder: Path, hire: Hire) -> None:
    person = hire(kind="process").take()
    person.sql("create table kept (n int)")
    keeper_of(folder).kill()
    # A killed process is a zombie as soon as its first thread has gone; its locks go with the last one. Until then
    # everything looks as it should.
    assert eventually(lambda: not is_held(folder / "postgres" / "keeper.lock", fcntl.LOCK_SH))
    person.take()  # what every new connection of the application does
    assert person.sql("select count(*) from kept") == [[0]]


def test_somebody_who_only_looks_does_not_stop_the_start(folder: Path, hire: Hire) -> None:
    hire().take().leave()
    person = hire()
    lock_file = folder / "postgres" / "keeper.lock"
    with lock_file.open("r+b") as look:
        fcntl.flock(look, fcntl.LOCK_SH)  # what `is_running` does, held longer than a moment
        person.tell("take")
        assert eventually(lambda: is_held(folder / "postgres" / "start.lock", fcntl.LOCK_SH)), (
            "it gave up at once"
        )
        time.sleep(0.3)  # it gets to the keeper meanwhile; were that later, the test would only see less
    person.url = person.hear()
    assert person.sql("select 1") == [[1]]


def test_a_killed_server_is_started_again_for_its_users(folder: Path, hire: Hire) -> None:
    person = hire(kind="process").take()
    person.sql("create table kept (n int)")
    person.sql("insert into kept values (9)")
    before = postmaster_of(folder)
    before.kill()
    assert eventually(lambda: answers(person, "select n from kept") == [[9]])
    assert postmaster_of(folder).pid != before.pid


def test_a_keeper_that_is_told_to_end_stops_the_server(folder: Path, hire: Hire) -> None:
    person = hire(kind="process").take()
    keeper_of(folder).send_signal(signal.SIGTERM)
    assert eventually(lambda: is_quiet(folder))
    assert person.take().sql("select 1") == [[1]]


def test_starting_while_it_stops(folder: Path, hire: Hire) -> None:
    leaving = hire().take()
    leaving.sql("create table kept (n int)")
    for round_number in range(5):
        coming = hire()
        leaving.tell("release")
        coming.tell("take")
        leaving.hear()
        coming.url = coming.hear()
        assert coming.sql("select count(*) from kept") == [[round_number]]
        coming.sql("insert into kept values (1)")
        leaving = coming


def test_ten_starts_at_once_make_one_server(folder: Path, hire: Hire) -> None:
    people = [hire() for _ in range(10)]
    for each in people:
        each.tell("take")
    assert len({each.hear() for each in people}) == 1
    assert len([each for each in processes_of(folder) if "keeper.py" in " ".join(each.cmdline())]) == 1
    for each in people:
        each.tell("release")
    for each in people:
        each.hear()
    assert is_quiet(folder)


def test_it_listens_on_a_closed_socket_only(folder: Path, hire: Hire) -> None:
    person = hire().take()
    listening = psutil.net_connections("inet")
    ours = {each.pid for each in processes_of(folder)}
    assert [each for each in listening if each.pid in ours] == []
    assert (folder / "postgres" / "socket").stat().st_mode & 0o777 == 0o700
    assert (folder / "postgres" / "data").stat().st_mode & 0o777 == 0o700
    assert person.sql("select rolsuper, rolcreatedb from pg_roles where rolname = current_user") == [
        [False, True]
    ]
    assert person.sql("select current_setting('fsync'), current_setting('TimeZone')") == [["on", "UTC"]]
    assert person.sql("select datlocprovider::text || coalesce(datlocale, '') from pg_database limit 1")


def test_a_second_start_is_quick(folder: Path, hire: Hire) -> None:
    hire().take().leave()
    person = hire()
    start = time.monotonic()
    person.take()
    assert time.monotonic() - start < 5  # 0.1 s measured; the machine may be busy


def test_deep_folders_get_a_socket_elsewhere_that_goes_again(folder: Path, hire: Hire) -> None:
    deep = folder.joinpath(*(["a-folder-with-quite-a-long-name"] * 6))
    person = hire(deep).take()
    socket = Path(person.url.partition("host=")[2])
    assert not socket.is_relative_to(folder)
    assert socket.stat().st_mode & 0o777 == 0o700
    assert person.sql("select 1") == [[1]]
    other = hire(deep).take()
    assert other.url == person.url
    kill_all(folder)
    person.kill()
    other.kill()
    person = hire(deep).take()  # its files are left from the crash
    person.leave()
    assert is_quiet(folder)
    assert not socket.exists()


def test_a_throwaway_database_is_fast_fresh_and_gone_afterwards(folder: Path, hire: Hire) -> None:
    person = hire(kind="throwaway").take()
    made = Path(person.url.partition("host=")[2]).parent
    assert person.sql("select current_setting('fsync')") == [["off"]]
    assert person.sql("select count(*) from pg_stat_user_tables") == [[0]]
    other = hire(kind="throwaway").take()
    assert other.url != person.url
    person.ask("release")
    assert not made.exists()
    assert is_quiet(made)
    other_folder = Path(other.url.partition("host=")[2]).parent
    other.kill()
    assert eventually(lambda: not other_folder.exists())
    assert eventually(lambda: is_quiet(other_folder))


def test_environment_variables_of_postgresql_change_nothing(folder: Path, hire: Hire) -> None:
    confusing = {
        **os.environ,
        "PGDATA": "/nowhere",
        "PGPORT": "1",
        "LC_ALL": "xx_XX.utf8",
        "PGOPTIONS": "-c nothing=1",
    }
    person = hire(env={name: value for name, value in confusing.items() if name != "PGOPTIONS"})
    person.take()
    assert hire().take().sql("select 1") == [[1]]


def test_a_child_program_does_not_keep_the_database(folder: Path, hire: Hire) -> None:
    """Locks are not inherited by programs that a user starts (pg_dump, an editor, a browser)."""
    person = hire().take()
    child = psutil.Process(person.ask("spawn"))
    person.leave()
    assert is_quiet(folder)
    child.kill()
