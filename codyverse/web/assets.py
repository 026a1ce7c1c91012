"""Finds the hashed file behind a name: `asset('app.css')` in templates. static/dist/manifest.json is the map."""

import json
from pathlib import Path

from flask import Flask


class Assets:
    """The manifest of one build. In production it is read once; elsewhere, where the server keeps running beside builds, it is
    looked at each time and read anew when another build has replaced it."""

    def __init__(self, folder: Path, base_url: str, *, stays: bool = False) -> None:
        self._stays = stays
        self._manifest = folder / "manifest.json"
        self._base_url = base_url.rstrip("/")
        self._stamp: float | None = None
        self._names: dict[str, str] = {}

    def url(self, name: str) -> str:
        """The address of a built file. Raises RuntimeError in plain words when there is no such file or no build."""
        if not (self._stays and self._names):
            self._read()
        if name not in self._names:
            raise RuntimeError(f"There is no asset {name!r} in {self._manifest}.")
        return f"{self._base_url}/{self._names[name]}"

    def _read(self) -> None:
        try:
            stamp = self._manifest.stat().st_mtime
            if stamp != self._stamp:
                self._names = json.loads(self._manifest.read_text(encoding="utf-8"))
                self._stamp = stamp
        except FileNotFoundError as missing:
            raise RuntimeError("The browser files are not built: run tools/assets.py.") from missing


def init_app(app: Flask, folder: Path | None = None) -> Assets:
    """Gives every template `asset(name)`. `ASSET_URL` in the settings moves the files to another host."""
    folder = folder or Path(app.root_path).parent / "static" / "dist"
    stays = app.config.get("CODYVERSE_ENV") == "production"
    assets = Assets(folder, app.config.get("ASSET_URL") or "/static/dist", stays=stays)
    app.jinja_env.globals["asset"] = assets.url
    return assets
