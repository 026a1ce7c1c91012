"""The limit to compare with: a bare Flask route that answers a little JSON."""

from typing import Any

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, Any]:
    """Nothing but Flask."""
    return {"success": True, "data": {"hello": "world"}}
