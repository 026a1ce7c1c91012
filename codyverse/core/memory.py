"""How this process asks the system for memory."""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
LARGE = 2**20


def give_large_blocks_back() -> bool:
    """Let blocks of 1 MiB and more be the system's again as soon as they are freed; whether that could be asked for.

    glibc raises that bound when such a block is freed the first time, and keeps the next ones: after a single password was
    hashed each process held Argon2's 19 MiB for good. Again is harmless. Only glibc knows the word (mallopt(3)).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE))
    except (OSError, AttributeError):
        return False
