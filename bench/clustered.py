"""A whole cluster to be measured or damaged: `flask cluster up` on a data folder that is thrown away."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.serving import ROOT, SETTINGS
from codyverse.core.embedded import Lease

START_SECONDS = 300.0
FLASK = [sys.executable, "-P", "-m", "flask"]


@dataclass
class Clustered:
    """A running cluster: its address, its supervisor, its data folder."""

    url: str
    folder: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes]

    def state(self) -> dict[str, Any]:
        """What it tells of itself."""
        found: dict[str, Any] = json.loads((self.folder / "cluster" / "state.json").read_text())
        return found

    def pid(self, name: str) -> int:
        """The process in this place; 0 while there is none."""
        return self.state()["parts"][name]["pid"] or 0

    def kill(self, name: str) -> None:
        """kill -9 to the process in this place and to all that it started (nginx: to its main process only)."""
        top = psutil.Process(self.pid(name))
        family = [top] if name == "nginx" else [top, *top.children(recursive=True)]
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()

    def wait_for(self, name: str, not_pid: int, seconds: float = 120) -> float:
        """Wait until another process than that one is in its place; how many seconds it took."""
        began = time.monotonic()
        while self.pid(name) in (0, not_pid):
            if time.monotonic() > began + seconds:
                raise TimeoutError(f"{name} did not come back: {self.said()[-2000:]}")
            time.sleep(0.1)
        return time.monotonic() - began

    def flask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same settings."""
        return subprocess.run(
            [*FLASK, *words], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )

    def said(self) -> str:
        """Its output so far."""
        return (self.folder / "said").read_text()

    def lease(self, name: str) -> Lease:
        """The embedded database `postgres` or `replica`, to look into."""
        return Lease(self.folder / name).take()

    def memory(self) -> dict[str, float]:
        """MB of each of Cody Verse's processes (its largest, without what they share: their unique set)."""
        found = {}
        for name in self.state()["parts"]:
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(self.pid(name))
                family = [top, *top.children(recursive=True)]
                found[name] = max(each.memory_full_info().uss for each in family) / 1e6
        return found


@contextlib.contextmanager
def clustered(port: int, **more: str) -> Iterator[Clustered]:
    """Start it, and stop it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="cv-cluster-")).resolve()
    folder.chmod(0o755)
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    env = (
        kept
        | SETTINGS
        | {"CODYVERSE_ENV": "development", "CODYVERSE_DATA": str(folder), "PORT": str(port)}
        | more
    )
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*FLASK, "cluster", "up"], cwd=ROOT, env=env, stdout=said, stderr=said, start_new_session=True
        )
    made = Clustered(f"http://127.0.0.1:{port}", folder, env, process)
    try:
        _wait_until_ready(made)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(120)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(made: Clustered) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "To stop it" not in made.said():
        if made.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the cluster did not start: {made.said()[-3000:]}")
        time.sleep(0.1)
    with urllib.request.urlopen(f"{made.url}/courses", timeout=60) as answer:
        answer.read()
