"""Making an archive: a zip with `index.html`, to be read by people, and `data.json`, for programs."""

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app, render_template

from codyverse.archives import content
from codyverse.archives.numbers import CONTENT, carried, translated
from codyverse.core import personal
from codyverse.core.clock import now

FORMAT = 1
DATA, PAGE = "data.json", "index.html"
OF_THIS_SITE = ("id", "user_id")


@dataclass(frozen=True, slots=True)
class Archive:
    """The file, and what to call it."""

    data: bytes
    name: str


def make(user_id: int) -> Archive:
    """Everything that is kept about the person; secrets and their hashes are left out. Reads only."""
    return pack(personal.export(user_id))


def pack(raw: dict[str, list[dict[str, Any]]]) -> Archive:
    """The file of what `personal.export` has read. Asks how lessons are called. Reads only."""
    data = {
        "format": FORMAT,
        "exportedAt": now().isoformat(),
        "site": current_app.extensions["settings"].base_url,
        "version": current_app.config["CODYVERSE_VERSION"],
        **_movable({name: raw[name] for name in carried()}),
        "ofThisSite": {name: rows for name, rows in raw.items() if name not in carried()},
    }
    page = render_template("archive/index.html", **data, titles=_titles(data["content"]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(PAGE, page)
        file.writestr(DATA, json.dumps(data, indent=1, ensure_ascii=False))
    return Archive(packed.getvalue(), name_of(now()))


def name_of(made: datetime) -> str:
    """What a file of this day is called."""
    return f"cody-verse-{made:%Y-%m-%d}.zip"


def _titles(refs: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {table: [each["title"] for each in entries] for table, entries in refs.items()}


def _movable(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The rows without the ids of this database, and the names of what they are about."""
    used: dict[str, set[int]] = {table: set() for table in CONTENT}

    def note(table: str, number: int) -> int:
        if table in used:
            used[table].add(number)
        return number

    for name, found in rows.items():
        for row in found:
            translated(name, row, note)
    known = {table: content.names(table, ids) for table, ids in used.items()}
    order = {table: sorted(names, key=lambda each: names[each][0]) for table, names in known.items()}
    places = {table: {number: place for place, number in enumerate(ids)} for table, ids in order.items()}
    for name, found in rows.items():
        places |= {name: {row["id"]: place for place, row in enumerate(found)}} if _has_id(found) else {}
    plain = {name: _plain(name, found, places) for name, found in rows.items()}
    refs = {
        table: [{"keys": list(known[table][each][0]), "title": known[table][each][1]} for each in ids]
        for table, ids in order.items()
    }
    return {"tables": plain, "content": refs}


def _has_id(rows: list[dict[str, Any]]) -> bool:
    return bool(rows) and "id" in rows[0]


def _plain(name: str, rows: list[dict[str, Any]], places: dict[str, dict[int, int]]) -> list[dict[str, Any]]:
    def place(table: str, number: int) -> int | None:
        return places.get(table, {}).get(number)

    found = [translated(name, row, place) for row in rows]
    bare = [{key: value for key, value in row.items() if key not in OF_THIS_SITE} for row in found]
    return bare if _has_id(rows) else sorted(bare, key=lambda row: json.dumps(row, sort_keys=True))
