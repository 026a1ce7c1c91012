"""How long somebody waits who starts the site the second time: from typing the command to the first answer."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from bench.serving import ROOT

MOST_S = 4.0
PATIENCE_S = 120.0


def second_start() -> float:
    """Seconds from `make run` to its first answer, on a folder where it has run before; nothing else is running by then."""
    with tempfile.TemporaryDirectory() as folder:
        _start(folder)
        return _start(folder)


def _start(folder: str) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    env = kept | {"CODYVERSE_DATA": folder, "PORT": str(port)}
    began = time.monotonic()
    subprocess.run([sys.executable, "tools/assets.py"], cwd=ROOT, env=env, check=True, capture_output=True)
    served = subprocess.Popen(
        [sys.executable, "-m", "flask", "serve"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(port):
            if served.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise RuntimeError("the site does not start")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(60)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as told:
            return bool(told.status == 200)
    except OSError:
        return False
