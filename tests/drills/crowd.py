"""People at a running cluster, each on connections of their own: they write, and read at once what they wrote."""

import http.client
import itertools
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode, urlsplit

PASSWORD = "wren-lantern-tide-42"
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
PAGES = ("/dashboard", "/courses", "/progress", "/ledger", "/badges", "/notifications")
_numbers = itertools.count(1)


@dataclass
class Tally:
    """What the crowd saw. `failed` are requests without an answer or with a 5xx, by their kind; `stale` own writes not
    seen, `read_back` those that were."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[float, str]] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    read_back: int = 0
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failures(self, method: str = "") -> int:
        return sum(1 for _, what in self.failed if what.startswith(method))

    def kinds(self) -> str:
        """The failures by method and status."""
        found = Counter(
            " ".join((what.split()[0], what.split(": ", 1)[1].split()[0])) for _, what in self.failed
        )
        return ", ".join(f"{number} × {kind}" for kind, number in found.items()) or "none"


class Person:
    """One person with a browser; each request on a connection of its own, as a stranger's proxy may send it."""

    def __init__(self, url: str, tally: Tally) -> None:
        parts = urlsplit(url)
        self.where = (str(parts.hostname), int(parts.port or 80))
        self.tally = tally
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and text; (0, reason) when no answer came. Counted."""
        began = time.monotonic()
        status, text = self._ask(method, path, fields)
        with self.tally.lock:
            self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
            if status == 0 or status >= 500:
                self.tally.failed.append((time.monotonic(), f"{method} {path}: {status} {text[:80]}"))
            else:
                self.tally.answered[method] += 1
        return status, text

    def _ask(self, method: str, path: str, fields: dict[str, str] | None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if fields is not None:
            body = urlencode({"csrf_token": self.csrf} | fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        line = http.client.HTTPConnection(*self.where, timeout=60)
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as fault:
            return 0, repr(fault)
        finally:
            line.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        found = TOKEN.search(text)
        self.csrf = found[1] if found else self.csrf
        return answer.status, text

    def sign_in(self) -> "Person":
        """Sign up and in. Not part of what is measured: it is tried until it works."""
        own = {"email": f"crowd-{next(_numbers)}-{time.time_ns()}@example.org", "password": PASSWORD}
        self._ask("GET", "/register", None)
        assert self._ask("POST", "/register", own | {"display_name": "Crowd", "time_zone": "UTC"})[0] == 303
        self._ask("GET", "/login", None)
        assert self._ask("POST", "/login", own)[0] == 303
        self._ask("GET", "/settings", None)
        return self

    def choose_hour(self, hour: int) -> bool:
        """Choose when mails come; whether it was acknowledged."""
        form = {"mail_hour": str(hour), "quiet_from": "", "quiet_until": ""}
        return self.ask("POST", "/notifications/settings", form)[0] == 303

    def hour(self) -> int | None:
        """When mails come, as their own page shows it; None if it did not come."""
        status, text = self.ask("GET", "/notifications/settings")
        choices = text.partition('name="mail_hour"')[2].partition("</select>")[0]
        found = re.search(r'<option selected value="(\d+)"|<option value="(\d+)" selected', choices)
        return int(found[1] or found[2]) if status == 200 and found else None


class Crowd:
    """So many people at once, until the block ends."""

    def __init__(self, url: str, people: int, pause: float = 0.05) -> None:
        self.tally = Tally()
        self.people = [Person(url, self.tally).sign_in() for _ in range(people)]
        self._pause = pause
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(number, each))
            for number, each in enumerate(self.people)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)

    def _live(self, number: int, person: Person) -> None:
        """Half of them read; the others also write, and must read what they wrote from their next request on."""
        for turn in itertools.count():
            if self._over.is_set():
                return
            person.ask("GET", PAGES[(turn + number) % len(PAGES)])
            if number % 2 == 0:
                self._write_and_read(person, turn % 24)
            self._over.wait(self._pause)

    def _write_and_read(self, person: Person, wanted: int) -> None:
        if person.choose_hour(wanted):
            for _ in range(2):
                seen = person.hour()
                with self.tally.lock:
                    self.tally.read_back += seen == wanted
                    if seen not in (None, wanted):
                        self.tally.stale.append(f"chose {wanted}, read {seen}")
