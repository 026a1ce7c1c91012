"""The only module that reads the request headers of htmx (version 4)."""

from flask import Response, request


def wants_fragment() -> bool:
    """Whether htmx asks for a piece of the page to swap in, not for a whole page."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-Request-Type", "partial") == "partial"
    )


def vary(response: Response) -> Response:
    """Name the headers that this answer depends on, so that no cache mixes a page with its piece."""
    if "Vary" in response.headers:
        response.vary.update(["HX-Request", "HX-Request-Type"])
    else:
        response.headers["Vary"] = "HX-Request, HX-Request-Type"
    return response
