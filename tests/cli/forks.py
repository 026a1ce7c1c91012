"""`flask` in a process of its own, as often as somebody asks, without loading the libraries each time.

A program of its own. It loads what every command loads, before any command's environment is known, and listens on a Unix
socket. Whoever calls sends one line of JSON with three open files, which become the outputs and the input of a process
that is split off; from there on all goes as in `python -m flask`. The answer is its exit status. Ends with its caller.
"""

import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOADED = ("flask.cli", "codyverse", "config")
LONGEST = 1_000_000


def main() -> None:
    """Serve until standard input is closed; then the socket's folder goes too."""
    sys.path[0] = str(ROOT)
    path = Path(sys.argv[1])
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        draft = path.with_name("draft")
        door.bind(str(draft))
        door.listen(64)
        draft.rename(path)
        while True:
            ready, _, _ = select.select([door, sys.stdin], [], [])
            if sys.stdin in ready:
                shutil.rmtree(path.parent)
                return
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                attend(caller)
                return
            caller.close()


def attend(caller: socket.socket) -> None:
    """One call: split off the command, tell how it ended. Returns in the command's process too, after it has run."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line, files, _, _ = socket.recv_fds(caller, LONGEST, 3)
    told = json.loads(line)
    child = os.fork()
    if child == 0:
        caller.close()
        become(told["words"], told["environment"], files)
    else:
        _, status = os.waitpid(child, 0)
        caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)


def become(words: list[str], environment: dict[str, str], files: list[int]) -> None:
    """Be `python -m flask` with these words."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(ROOT)
    sys.argv = ["flask", *words]
    runpy.run_module("flask", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
