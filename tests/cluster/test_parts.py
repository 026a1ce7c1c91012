"""A part of the cluster: started again when it dies, replaced without anybody noticing, kept when the new one fails."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from codyverse.cli.cluster.parts import Part, answers
from codyverse.core import metrics_folder
from tests.waiting import eventually

DOOR = Path(__file__).with_name("door.py")


class House:
    """One part with a door, ticked as the supervisor does."""

    def __init__(self, folder: Path) -> None:
        self.script = DOOR
        self.said: list[str] = []
        self.seconds = "0"
        self.part = Part(
            "door",
            self._command,
            dict(os.environ),
            self.said.append,
            socket=folder / "door.sock",
            ready=answers,
        )

    def _command(self, path: Path | None) -> list[str]:
        return [sys.executable, str(self.script), str(path), self.seconds]

    def ticks_until(self, fact, seconds: float = 30) -> bool:  # type: ignore[no-untyped-def]
        def look() -> bool:
            self.part.tick()
            return bool(fact())

        return eventually(look, seconds)

    def is_open(self) -> bool:
        return self.part.current is not None and self.part.coming is None

    def ask(self) -> int:
        """The process that answers at the known path. Raises OSError."""
        client = http.client.HTTPConnection("localhost")
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.settimeout(20)
        client.sock.connect(str(self.part.socket))
        client.request("GET", "/")
        answer = client.getresponse().read()
        client.close()
        return int(answer)


@pytest.fixture
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="cv-part-"))
    made = House(folder)
    try:
        assert made.ticks_until(made.is_open)
        yield made
    finally:
        made.part.end()
        gone = made.ticks_until(lambda: made.part.is_gone)
        shutil.rmtree(folder)
        assert gone


def test_one_that_dies_is_started_again(house: House) -> None:
    first = house.ask()
    os.kill(first, signal.SIGKILL)
    assert house.ticks_until(lambda: house.part.starts == 2 and house.is_open())
    assert house.ask() != first
    assert "ended with status -9" in house.said[0]


def test_one_is_replaced_and_nobody_notices(house: House) -> None:
    house.seconds = "0.2"
    number = house.part.renew()
    assert house.ticks_until(lambda: house.part.is_renewed(number))
    seen, failed, over = set(), [], threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            try:
                seen.add(house.ask())
            except (OSError, http.client.HTTPException) as fault:
                failed.append(fault)

    crowd = [threading.Thread(target=ask_on) for _ in range(6)]
    for each in crowd:
        each.start()
    for _ in range(2):
        number = house.part.renew()
        assert house.ticks_until(
            lambda number=number: house.part.is_renewed(number) and not house.part.leaving
        )
    over.set()
    for each in crowd:
        each.join()
    assert failed == []
    assert len(seen) == 3
    assert house.ask() == house.part.current.process.pid  # type: ignore[union-attr]


def test_the_old_one_goes_on_when_the_new_one_does_not_start(house: House) -> None:
    first = house.ask()
    house.script = Path(os.devnull)
    number = house.part.renew()
    assert house.ticks_until(lambda: house.part.is_renewed(number) is not None)
    assert house.part.is_renewed(number) is False
    assert house.ask() == first
    house.script = DOOR
    number = house.part.renew()
    assert house.ticks_until(lambda: house.part.is_renewed(number))
    assert house.ask() != first


def test_one_that_never_starts_is_tried_ever_less_often(house: House) -> None:
    house.script = Path(os.devnull)
    os.kill(house.ask(), signal.SIGKILL)
    assert house.ticks_until(lambda: len(house.said) == 4)
    pauses = [float(line.rpartition(" in ")[2].split()[0]) for line in house.said[1:]]
    assert pauses == [0.5, 1.0, 2.0]


def test_all_end_with_their_supervisor() -> None:
    """kill -9 of the supervisor leaves nothing behind."""
    code = (
        "import os, sys, time; from pathlib import Path; from codyverse.cli.cluster.parts import Part\n"
        "part = Part('sleep', lambda _: ['sleep', '600'], dict(os.environ), print)\n"
        "part.tick(); part.tick(); print(part.current.process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as top:
        assert top.stdout is not None
        child = int(top.stdout.readline())
        top.kill()
        assert eventually(lambda: not _lives(child))


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_numbers_of_the_dead_stay_and_what_they_hold_goes(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = [f"counter_{gone.pid}.db", f"gauge_livesum_{gone.pid}.db", f"counter_{os.getpid()}.db"]
    for name in names:
        (tmp_path / name).touch()
    assert metrics_folder.prepare(tmp_path) == {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    assert {each.name for each in tmp_path.iterdir()} == {names[0], names[2]}


def test_a_fresh_start_counts_from_nought(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / f"counter_{gone.pid}.db").touch()
    code = "import os; print(os.environ['PROMETHEUS_MULTIPROC_DIR'], os.listdir(os.environ['PROMETHEUS_MULTIPROC_DIR']))"
    words = [sys.executable, metrics_folder.__file__, str(tmp_path), sys.executable, "-c", code]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.split() == [
        str(tmp_path),
        "[]",
    ]
