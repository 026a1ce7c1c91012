"""Memory that was needed for a moment is the system's again."""

import subprocess
import sys

import pytest

CHILD = """
import argon2, psutil, sys
from codyverse.core.memory import give_large_blocks_back
if sys.argv[1] == "back":
    assert give_large_blocks_back()
hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64 * 1024, parallelism=1)
resident = lambda: psutil.Process().memory_info().rss
before = resident()
for _ in range(3):
    hasher.hash("wren-lantern-tide-42")
print((resident() - before) // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has the word for it")
def test_what_a_password_needed_is_given_back() -> None:
    def kept(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", CHILD, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert kept("back") < 8
