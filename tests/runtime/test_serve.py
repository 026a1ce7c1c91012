"""`flask serve` and `make run`: one command starts everything, and nothing is left of it, however it ends."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config import NAMES, ROOT
from tests.ports import free_port
from tests.runtime.conftest import open_folder
from tests.runtime.people import is_quiet, keeper_of
from tests.waiting import eventually

FLASK = [sys.executable, "-m", "flask"]


def environment(folder: Path, port: int) -> dict[str, str]:
    """Development on a data folder of its own; nothing from the person who runs the tests, nor from their .env."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "FLASK"))
    }
    return (
        kept
        | dict.fromkeys(NAMES, "")
        | {"CODYVERSE_DATA": str(folder), "PORT": str(port), "CONTENT_DIR": str(folder / "content")}
    )


class Server:
    """A running `flask serve` (or another command that ends in it), its words, and all its processes."""

    def __init__(self, folder: Path, command: list[str] | None = None, **more: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.words = folder / f"said-{self.port}"
        with self.words.open("w") as said:
            self.process = subprocess.Popen(
                command or [*FLASK, "serve"], cwd=ROOT, env=environment(folder, self.port) | more, stdin=subprocess.DEVNULL,
                stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        self.family: list[psutil.Process] = []

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/courses", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False

    def uptime(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10) as answer:
            return int(json.load(answer)["uptime"])

    def wait(self) -> "Server":
        assert eventually(lambda: "To stop it" in self.said() or self.process.poll() is not None, 90), (
            self.said()
        )
        assert eventually(self.answers), self.said()
        self.remember()
        return self

    def remember(self) -> None:
        top = psutil.Process(self.process.pid)
        self.family = [top, *top.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """granian's main process, then its workers: split off from the command, or started anew."""
        self.remember()
        command, *others = [each for each in self.family if _lives(each)]
        lines = {each: each.cmdline() for each in others}
        return [
            each
            for each, line in lines.items()
            if line == command.cmdline() or "processes.py" in " ".join(line)
        ]

    def said(self) -> str:
        return self.words.read_text()

    def flask(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = environment(self.folder, self.port)
        return subprocess.run(
            [*FLASK, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    def is_gone(self) -> bool:
        return is_quiet(self.folder) and not any(_lives(each) for each in self.family)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


Launch = Callable[..., Server]


@pytest.fixture(scope="module")
def served_once() -> Iterator[Path]:
    """A data folder with all tables and a small course."""
    made = open_folder()
    small = made / "content" / "how-ai-works"
    small.mkdir(parents=True)
    source = ROOT / "content" / "how-ai-works"
    shutil.copy(source / "course.md", small)
    shutil.copytree(source / "01-machines-that-learn", small / "01-machines-that-learn")
    server = Server(made).wait()
    server.process.terminate()
    assert server.process.wait(timeout=30) == 0, server.said()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def folder(empty: Path, served_once: Path) -> Path:
    """A data folder as a second start finds it."""
    for name in ("postgres", "content"):
        subprocess.run(["cp", "-a", str(served_once / name), str(empty)], check=True)
    return empty


@pytest.fixture
def launch(folder: Path) -> Iterator[Launch]:
    """Start servers on `folder`; at the end none of their processes may be left."""
    started: list[Server] = []

    def start(command: list[str] | None = None, **more: str) -> Server:
        started.append(Server(folder, command, **more))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()
        assert eventually(server.is_gone), server.family


def test_a_start_a_command_beside_it_a_taken_port_and_ctrl_c(launch: Launch, folder: Path) -> None:
    server = launch().wait()
    assert f"http://127.0.0.1:{server.port}" in server.said()
    assert str(folder) in server.said()
    assert "flask users create --role operator" in server.said()

    made = server.flask("users", "create", "--role", "operator", "ada@example.org")
    assert made.returncode == 0, made.stderr

    second = server.flask("serve")
    assert second.returncode == 1
    assert second.stderr.strip() == (
        f"Error: Port {server.port} is in use, perhaps by Cody Verse itself: choose another one, for example PORT={server.port + 1}."
    )

    start = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=30) == 0
    assert time.monotonic() - start < 15  # one second measured; the machine may be busy
    assert server.is_gone()
    assert server.said().rstrip().endswith("Cody Verse has stopped. Everything is saved.")
    assert "Traceback" not in server.said()

    listed = server.flask("users", "list")  # starts the database for as long as it needs it
    assert "ada@example.org" in listed.stdout
    assert is_quiet(folder)


def test_a_crashed_worker_and_a_crashed_database_come_back_and_a_crashed_server_ends_it_all(
    launch: Launch, folder: Path
) -> None:
    server = launch().wait()
    _main, worker = server.workers()
    killed = time.monotonic()
    worker.kill()
    assert eventually(lambda: not _lives(worker))
    assert eventually(server.answers, 30)
    assert server.uptime() <= time.monotonic() - killed, "the new one counts from its own beginning"

    keeper_of(folder).kill()
    assert eventually(server.answers, 30), "pages come back after the database was killed"

    main = server.workers()[0]
    main.kill()
    assert server.process.wait(timeout=30) == 1
    assert "The web server ended by itself" in server.said()
    assert eventually(server.is_gone)


def test_kill_9_of_the_command_ends_the_rest(launch: Launch) -> None:
    server = launch().wait()
    server.process.kill()
    assert eventually(server.is_gone, 30)


def test_kill_9_of_everything_but_the_workers_ends_them_too(launch: Launch) -> None:
    server = launch().wait()
    main = server.workers()[0]
    server.process.kill()
    main.kill()
    assert eventually(server.is_gone, 30)


def test_closing_the_terminal_while_it_starts(launch: Launch, folder: Path) -> None:
    server = launch()
    assert eventually(lambda: not is_quiet(folder), 60)
    server.remember()
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(timeout=30) == 0
    assert eventually(
        server.is_gone
    )  # a database that was just being started is told by the end of whom it was for
    assert "Traceback" not in server.said()


def test_an_address_that_is_not_ours(folder: Path) -> None:
    env = environment(folder, free_port()) | {"HOST": "192.0.2.1"}
    done = subprocess.run([*FLASK, "serve"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (
        done.stderr.strip()
        == "Error: HOST=192.0.2.1 is not an address of this machine: write 127.0.0.1 or 0.0.0.0."
    )


def test_a_database_that_cannot_be_started_is_told_in_one_sentence(folder: Path) -> None:
    (folder / "postgres" / "data" / "PG_VERSION").write_text("12\n")
    env = environment(folder, free_port())
    done = subprocess.run([*FLASK, "serve"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("Error: The data were written by PostgreSQL 12")
    assert len(done.stderr.strip().splitlines()) == 1


def test_make_run_and_ctrl_c_in_a_terminal(launch: Launch) -> None:
    """The terminal sends the signal to make and all its children at once."""
    server = launch(["make", "run"]).wait()
    os.killpg(server.process.pid, signal.SIGINT)
    server.process.wait(timeout=30)
    assert eventually(server.is_gone)
    assert "Everything is saved." in server.said()
    assert "Traceback" not in server.said()


def test_the_streams_and_the_jobs_are_served_too_and_the_jobs_come_back(launch: Launch) -> None:
    server = launch().wait()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/notifications/stream", timeout=10)
    assert caught.value.code == 401, "the stream is there, and not for strangers"

    def jobs() -> list[psutil.Process]:
        server.remember()
        return [each for each in server.family if _lives(each) and "--beside-server" in each.cmdline()]

    [before] = jobs()
    before.kill()
    assert eventually(lambda: [each for each in jobs() if each != before] != [], 30)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    assert server.is_gone()
    assert "Traceback" not in server.said()


@pytest.mark.drill
def test_killing_make_stops_the_server(launch: Launch) -> None:
    server = launch(["make", "run"]).wait()
    server.process.kill()
    assert eventually(server.is_gone, 30)


def test_a_jobs_process_that_comes_too_late_ends_at_once(folder: Path) -> None:
    """Whoever started it was killed before it could ask to be told."""
    command = [*FLASK, "worker", "--beside-server", "1"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(folder, free_port()), timeout=60, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_several_web_processes_share_a_valkey_and_their_numbers(launch: Launch, folder: Path) -> None:
    server = launch(WEB_WORKERS="2").wait()
    assert any("valkey" in each.name() or "redis" in each.name() for each in server.family)
    limits = [_left(server) for _ in range(12)]
    assert limits == sorted(limits, reverse=True), "whichever process answers, it has counted all requests"
    assert len(set(limits)) == len(limits)
    told = urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10).read().decode()
    counted = [
        float(line.split()[-1])
        for line in told.splitlines()
        if line.startswith("cody_requests_total") and "courses" in line
    ]
    assert sum(counted) >= len(limits)
    assert list((folder / "metrics").glob("*.db"))
    server.process.terminate()
    assert server.process.wait(timeout=30) == 0
    assert server.is_gone()


def _left(server: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/courses", timeout=10) as answer:
        return int(answer.headers["RateLimit-Remaining"])
