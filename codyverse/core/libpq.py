"""A database's address in libpq's own words, read in one way by the site, its replicas and the programs that make backups."""

from typing import Any

from sqlalchemy.dialects.postgresql import psycopg2 as dialect
from sqlalchemy.engine import make_url


def words_of(url: str) -> dict[str, Any]:
    """Everything that the address says: its own parts, and what stands behind the question mark."""
    _, told = dialect.dialect().create_connect_args(make_url(url))  # type: ignore[no-untyped-call]
    return dict(told)


def words_for(url: str, ours: dict[str, Any]) -> dict[str, Any]:
    """The same with `ours` where the address says nothing; both its `options` and ours hold, ours last."""
    told = words_of(url)
    options = " ".join(str(each["options"]) for each in (told, ours) if each.get("options"))
    return {**ours, **told, **({"options": options} if options else {})}
