"""Setting up: nothing is done twice, and what installers say when they fail becomes one sentence."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import ROOT
from tools import bootstrap, locks

# What pip, uv and venv really said, shortened.
SAID = {
    "The disk is full": (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "error: Failed to install: lxml.whl\n  Caused by: failed to write to file: No space left on device (os error 28)",
    ),
    "Python cannot make virtual environments here": (
        (
            "The virtual environment was not created successfully because ensurepip is not\navailable.  On Debian/Ubuntu "
            "systems, you need to install the python3-venv\npackage using the following command."
        ),
        "/usr/bin/python3: No module named venv",
    ),
    "A download was not what the lock file promises": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        "error: Failed to fetch: `flask`\n  Caused by: Hash mismatch for `flask==3.1.3`\n\nExpected:\n  sha256:0000",
    ),
    "The package index cannot be reached": (
        (
            "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError(...): Failed to establish a new "
            "connection: [Errno -3] Temporary failure in name resolution')': /simple/uv/\n"
            "ERROR: Could not find a version that satisfies the requirement uv==0.13.9\n"
            "ERROR: No matching distribution found for uv==0.13.9"
        ),
        "error: Request failed after 3 retries\n  Caused by: client error (Connect)\n  Caused by: dns error",
    ),
    "A package has no ready-made build for this Python": (
        "building '_cffi_backend' extension\nerror: command 'gcc' failed: No such file or directory",
        "fatal error: Python.h: No such file or directory",
    ),
    ".venv cannot be written to": ("error: failed to create directory: Permission denied (os error 13)",),
    "A package is not offered for this system": (
        (
            "error: Distribution `granian` can't be installed because it doesn't have a source distribution or wheel for the "
            "current platform"
        ),
    ),
}


@pytest.mark.parametrize(("sentence", "said"), [(key, each) for key, words in SAID.items() for each in words])
def test_what_installers_say_becomes_one_sentence(sentence: str, said: str) -> None:
    meaning = bootstrap._meaning(said)
    assert meaning.startswith(sentence)
    assert meaning.endswith(".")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What setting up needs of a checkout, in a folder of its own."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, tmp_path)
    return tmp_path


def set_up(checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
    python = getattr(sys, "_base_executable", sys.executable)
    return subprocess.run(
        [python, "tools/bootstrap.py", "run"], cwd=checkout, env={**os.environ, **env}, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_without_a_network_it_says_so_in_one_sentence(checkout: Path) -> None:
    nowhere = dict.fromkeys(
        ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9"
    )
    own_index = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1"}
    done = set_up(checkout, **nowhere, **own_index)
    assert done.returncode == 1
    assert done.stderr.startswith("The package index cannot be reached: check the network")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (checkout / ".venv" / "installed.json").exists()


def test_nothing_is_done_when_the_lock_has_not_changed(checkout: Path) -> None:
    venv = checkout / ".venv"
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", str(venv)], check=True)
    lock = (checkout / "requirements-dev.lock").read_bytes()
    stamp = {"kind": "dev", "lock": bootstrap.hashlib.sha256(lock).hexdigest(), "venv": str(venv.resolve())}
    (venv / "installed.json").write_text(json.dumps(stamp))
    start = time.monotonic()
    done = set_up(checkout)  # less is asked for than is there: nothing is taken away
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - start < 10


def test_an_old_python_is_told_so() -> None:
    source = (ROOT / "tools" / "bootstrap.py").read_text()
    old = source.replace("sys.version_info < (3, 11)", "sys.version_info < (99, 0)")
    done = subprocess.run(
        [sys.executable, "-c", old.replace("Path(__file__)", f"Path({str(ROOT / 'tools' / 'bootstrap.py')!r})")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed; this is ")


def test_the_locks_are_in_step() -> None:
    assert locks.check() == []


def test_a_lock_that_is_not_in_step_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RUN", "DEV"):
        lock = tmp_path / getattr(locks, name).name
        text = getattr(locks, name).read_text()
        lock.write_text(text.replace("flask==", "flask-of-old==", 1) if name == "RUN" else text)
        monkeypatch.setattr(locks, name, lock)
    said = locks.check()
    assert "requirements.lock lacks Flask: call make lock." in said
    assert any("flask-of-old, which pyproject.toml no longer names" in each for each in said)


def test_make_alone_lists_every_target() -> None:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "check", "drill", "lock", "assets", "clean"):
        assert f"  {target} " in told


def test_make_without_a_python_says_what_to_install() -> None:
    done = subprocess.run(["make", "venv", "PYTHON="], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("Python 3.11 or newer is needed and none was found: install it")


def test_clean_asks_and_takes_no_for_an_answer() -> None:
    done = subprocess.run(["make", "clean"], cwd=ROOT, input="\n", capture_output=True, text=True, check=True)
    assert "Nothing removed." in done.stdout
    assert (ROOT / "tools").exists()
