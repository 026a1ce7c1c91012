"""Answers to requests that do not come through Flask and are refused: bare, or in the API's envelope."""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from codyverse.core.clock import now

Headers = list[tuple[bytes, bytes]]
SAID = {
    401: ("UNAUTHORIZED", "Please sign in first, or send a token that works."),
    403: ("FORBIDDEN", "This needs a token with the scope notifications."),
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address cannot be used in this way."),
    503: ("SERVICE_UNAVAILABLE", "There is no free line just now. Come again in a moment."),
}


class Refused(Exception):
    """A request that is not let in, with its status; `retry_after` in seconds for a 503."""

    def __init__(self, status: int, retry_after: int = 5) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after

    async def tell(
        self, send: Callable[[dict[str, Any]], Awaitable[None]], *, in_words: bool = False
    ) -> None:
        """Answer an ASGI request: without a body, for only scripts ask, or in the envelope of the API."""
        body = self._envelope() if in_words else b""
        headers: Headers = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        if in_words:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"x-request-id", secrets.token_hex(8).encode()))
        headers += self._headers()
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _headers(self) -> Headers:
        more: dict[int, Headers] = {
            401: [(b"www-authenticate", b"Bearer")],
            405: [(b"allow", b"GET")],
            503: [(b"retry-after", str(self.retry_after).encode())],
        }
        return more.get(self.status, [])

    def _envelope(self) -> bytes:
        code, error = SAID[self.status]
        at = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"success": False, "error": error, "code": code, "timestamp": at}).encode()
