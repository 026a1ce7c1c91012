"""The benchmark's clock of CPU: what a process says of itself is what is read of it."""

import subprocess
import sys

import pytest

from bench.clocks import cpu_seconds

WORKS = """
import sys, threading, time
def work():
    while time.thread_time() < 0.2:
        pass
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(time.process_time(), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the benchmark runs on Linux")
def test_it_reads_what_the_process_says_also_of_threads_that_have_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as works:
        assert works.stdout is not None
        said = float(works.stdout.readline())
        read = cpu_seconds(works.pid)
        assert said >= 0.2
        # it has only said it and waits since then: what little that took is all that may be more
        assert said <= read < said + 0.2
    assert cpu_seconds(works.pid) == 0
