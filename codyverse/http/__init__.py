"""What the faces that speak HTTP share: who acts, how often they may, what protects every answer, what failed."""

from flask import Flask

from codyverse.http import access, admission, errors, limits, reading, repeating, requests, security


def install(app: Flask) -> None:
    """Attach the hooks. Their order counts: identity of the request, refusals, limits, access,
    where to read from."""
    requests.install(app)
    admission.install(app)
    security.install(app)
    limits.install(app)
    access.install(app)
    reading.install(app)
    errors.install(app)
    repeating.install(app)
