"""Our own PostgreSQL that does not start is a database that is away: 503 and when to come again, not 500."""

from pathlib import Path

from codyverse import create_app
from codyverse.core.database import db
from config import load_settings


def test_one_that_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("a file where a folder has to be")
    app = create_app(load_settings({"CODYVERSE_ENV": "development", "CODYVERSE_DATA": str(tmp_path)}))
    client = app.test_client()
    for path in ("/api/courses", "/courses", "/dashboard"):
        answer = client.get(path)
        assert (answer.status_code, int(answer.headers.get("Retry-After", 0)) > 0) in {
            (503, True),
            (303, False),
        }
    assert client.get("/api/courses").get_json()["code"] == "SERVICE_UNAVAILABLE"
    assert client.get("/health/live").status_code == 200
    with app.app_context():
        db.engine.dispose()
