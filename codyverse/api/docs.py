"""The documentation: the OpenAPI document, and Swagger UI to read and try it."""

import orjson
from flask import Blueprint, Flask, Response, current_app, render_template, request

from codyverse.api import envelope
from codyverse.api.openapi import document
from codyverse.http.access import access

bp = Blueprint("docs", __name__)


@bp.get("/api-spec.json")
@access("anyone")
def spec() -> Response:
    """The OpenAPI document of this site."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    body = app.extensions.get("openapi")
    if body is None:
        body = app.extensions["openapi"] = orjson.dumps(document(app), option=orjson.OPT_INDENT_2)
    response = Response(body, content_type=envelope.JSON)
    response.set_etag(envelope.tag_of(body))
    response.headers["Cache-Control"] = "public, no-cache"
    return response.make_conditional(request)  # type: ignore[return-value]


@bp.get("/docs")
@access("anyone")
def show() -> Response:
    """Swagger UI, served from here. It draws some of its marks from data: addresses, which only this page allows."""
    return Response(render_template("pages/docs/docs.html"))
