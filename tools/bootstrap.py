"""Makes .venv and installs the locked packages; needs nothing but Python 3.11 and its standard library.

    python3 tools/bootstrap.py run    what running needs (requirements.lock)
    python3 tools/bootstrap.py dev    also what tests and checks need (requirements-dev.lock)

Does nothing, quickly, when the lock has not changed. Every package is checked against its hash. Each failure is told
in one sentence; the details are in .venv/setup.log.
"""

from __future__ import annotations  # so that an old Python reads far enough to be told

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
LOG = VENV / "setup.log"
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
INSTALLER = ROOT / "requirements-uv.lock"

# What the installers say, and what it means; the first that fits is told.
MEANINGS = {
    "The disk is full: make room, then call make again.": (
        "No space left on device",
        "os error 28",
        "Disk quota exceeded",
    ),
    "Python cannot make virtual environments here: install the missing part (Debian and Ubuntu: "
    "apt install python3-venv), then call make again.": (
        "ensurepip is not",
        "No module named ensurepip",
        "No module named venv",
        "python3-venv",
    ),
    "A download was not what the lock file promises (broken on the way, or changed): nothing of it was installed. "
    "Call make again; if it stays, tell the project.": (
        "DO NOT MATCH THE HASHES",
        "Hash mismatch",
        "hash mismatch",
        "HashMismatch",
    ),
    "A download broke off: call make again.": (
        "IncompleteRead",
        "BadZipFile",
        "corrupt deflate stream",
        "invalid checksum",
        "Invalid local file header",
    ),
    "The package index cannot be reached: check the network (or the index and proxy settings of pip), "
    "then call make again.": (
        "Temporary failure in name resolution",
        "Name or service not known",
        "dns error",
        "nodename nor servname",
        "NewConnectionError",
        "Connection refused",
        "Network is unreachable",
        "error sending request",
        "Could not connect",
        "ConnectTimeout",
        "ReadTimeout",
        "timed out",
        "Connection reset",
        "tcp connect error",
        "ProxyError",
        "Could not fetch URL",
    ),
    "A package has no ready-made build for this Python and no compiler was found: use Python 3.11 to 3.13, or install a "
    "compiler (Debian and Ubuntu: apt install build-essential python3-dev; macOS: xcode-select --install).": (
        "command 'gcc'",
        "command 'cc'",
        "command 'clang'",
        "unable to execute",
        "Python.h",
        "pg_config executable",
        "linker `cc` not found",
        "can't find Rust compiler",
        "compiler cannot create executables",
        "xcrun: error",
        "No acceptable C compiler",
    ),
    ".venv cannot be written to: run make as the owner of this folder.": (
        "Permission denied",
        "os error 13",
        "Operation not permitted",
        "Read-only file system",
        "os error 30",
    ),
    "A package is not offered for this system or this Python: use Python 3.11 to 3.13 on Linux (glibc) or macOS.": (
        "No matching distribution",
        "has no wheels with a matching",
        "doesn't have a source distribution or wheel",
    ),
}


class SetupFailed(Exception):
    """One sentence for the person who typed make."""


def main() -> int:
    """0 when .venv is as the lock says, 1 with one sentence otherwise."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "run"
    try:
        with _alone():
            _ensure(wanted)
    except SetupFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Call make again to go on.", file=sys.stderr)
        return 130
    except OSError as fault:
        print(_meaning(str(fault)) or f"{fault}.", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _alone():  # type: ignore[no-untyped-def]
    """Two makes at once wait for each other."""
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ensure(wanted: str) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (this file runs before anything was chosen)
        raise SetupFailed(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    before = _stamp()
    kind = (
        "dev" if "dev" in (wanted, before.get("kind")) else "run"
    )  # nothing is taken away by a plain `make run`
    target = {"kind": kind, "lock": _digest(LOCKS[kind]), "venv": str(VENV)}
    if {name: before.get(name) for name in target} == target and _venv_works():
        return
    start = time.monotonic()
    print(f"Setting up .venv ({'with' if kind == 'dev' else 'without'} test tools) …", flush=True)
    if before.get("venv", str(VENV)) != str(VENV) or not _venv_works():
        _make_venv()
    LOG.write_text("")
    _install(LOCKS[kind])
    STAMP.write_text(json.dumps(target))
    print(f"Setting up .venv took {time.monotonic() - start:.0f} s.", flush=True)


def _stamp() -> dict[str, str]:
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _venv_works() -> bool:
    """Whether its Python starts: not after the system's Python was replaced."""
    try:
        command = [str(PYTHON), "-I", "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make_venv() -> None:
    if VENV.exists() and not VENV.is_symlink():
        shutil.rmtree(VENV)
    VENV.mkdir(exist_ok=True)
    _call([sys.executable, "-m", "venv", str(VENV)], "The virtual environment could not be made.")


def _install(lock: Path) -> None:
    """With uv, which takes seconds; where it cannot do it (or cannot be had), with pip, whose word is final."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if not _module_works("pip"):
        _call([str(PYTHON), "-m", "ensurepip", "--upgrade"], "pip could not be installed.")
    get_uv = [*pip, "install", "--quiet", "--retries", "2", "--require-hashes", "-r", str(INSTALLER)]
    uv = [
        str(PYTHON),
        "-m",
        "uv",
        "pip",
        "sync",
        "--require-hashes",
        "--compile-bytecode",
        "--python",
        str(PYTHON),
        str(lock),
    ]
    if (_module_works("uv") or _try(get_uv)) and _try(uv, _uv_settings(pip)):
        return
    if _meaning(_said()):  # pip would fail for the same reason, only slower
        raise _failure("")
    print("… with pip, which takes longer …", flush=True)
    _call(
        [*pip, "install", "--retries", "2", "--require-hashes", "-r", str(lock)],
        "The packages could not be installed.",
    )


def _module_works(name: str) -> bool:
    return (
        subprocess.run([str(PYTHON), "-m", name, "--version"], capture_output=True, check=False).returncode
        == 0
    )


def _uv_settings(pip: list[str]) -> dict[str, str]:
    """pip's index and certificates, which uv does not read by itself."""
    settings = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = names.get(key.rpartition(".")[2])
        if name and name not in os.environ:
            settings[name] = value.strip("'\" ")
    return settings


def _try(command: list[str], extra: dict[str, str] | None = None) -> bool:
    """Runs a command with its words in the log; True if it succeeded."""
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        environment = {**os.environ, **(extra or {})}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=ROOT, check=False
        )
    return done.returncode == 0


def _call(command: list[str], otherwise: str) -> None:
    if not _try(command):
        raise _failure(otherwise)


def _failure(otherwise: str) -> SetupFailed:
    """What to raise after a failed command: the sentence that its words mean, and where they are."""
    sentence = _meaning(_said()) or otherwise
    if shutil.disk_usage(ROOT).free < 20_000_000:  # not every program says so
        sentence = next(iter(MEANINGS))
    return SetupFailed(f"{sentence} Details: {LOG.relative_to(ROOT)}")


def _said() -> str:
    return LOG.read_text(errors="replace") if LOG.exists() else ""


def _meaning(text: str) -> str:
    return next((sentence for sentence, signs in MEANINGS.items() if any(sign in text for sign in signs)), "")


if __name__ == "__main__":
    sys.exit(main())
