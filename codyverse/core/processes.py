"""Child processes that end when their parent ends, however it ended.

Run as a script, this is granian's command line, ``python -P processes.py --port 8000 app:app``, whose main process ends
with its parent and whose workers end with the main process (they would go on serving if it was killed). It imports
nothing of Cody Verse, so that the main process stays small. (`flask serve` has loaded it all anyway: `cli.web_server`.)
"""

import ctypes
import os
import platform
import signal
import threading
import time

PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Have this process receive `number` when its parent process dies, kill -9 included.

    Linux does it in the kernel; elsewhere a thread looks twice a second. To be called from the main thread.
    """
    if platform.system() == "Linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
        return
    threading.Thread(target=_watch, args=(os.getppid(), number), daemon=True).start()


def _watch(parent: int, number: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), number)


if __name__ == "__mp_main__":  # a worker that was started afresh, as on macOS
    end_with_parent()

if __name__ == "__main__":
    end_with_parent()
    os.register_at_fork(after_in_child=end_with_parent)  # a worker on Linux
    from granian.cli import entrypoint

    entrypoint()  # type: ignore[no-untyped-call]
