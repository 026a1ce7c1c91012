"""Finds what tests, drills and benchmarks need from the machine, and installs it where that is allowed.

    python tools/machine.py          find Chromium, Java and nginx; install what is missing where root or sudo may use apt
    python tools/machine.py drill    also what only drills need: PgBouncer

Tests ask `chromium()` and `java()` for the programs. CHROMIUM and JAVA may name them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
CHROMIUM_PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
DOWNLOADED = (  # by `playwright install chromium`
    ("~/.cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
    ("~/Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
)
JAVA_PLACES = ("/opt/homebrew/opt/openjdk/bin/java", "/usr/local/opt/openjdk/bin/java")

NGINX_PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx")

PACKAGES = {
    "Chromium": "chromium",
    "Java": "default-jre-headless",
    "nginx": "nginx-light",
    "PgBouncer": "pgbouncer",
}
ADVICE = {
    "Chromium": "install Chromium or Chrome (Debian: apt install chromium; macOS: brew install --cask google-chrome; "
    "anywhere: .venv/bin/playwright install --with-deps chromium), or name it with CHROMIUM=/path/to/it",
    "Java": "install Java 17 or newer (Debian and Ubuntu: apt install default-jre-headless; macOS: brew install openjdk), "
    "or name it with JAVA=/path/to/java",
    "PgBouncer": "install it (Debian and Ubuntu: apt install pgbouncer; macOS: brew install pgbouncer)",
    "nginx": "install it (Debian and Ubuntu: apt install nginx; macOS: brew install nginx)",
}


def chromium() -> Path | None:
    """The browser for the tests, None if there is none that starts."""
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else [*map(shutil.which, CHROMIUM_NAMES), *CHROMIUM_PLACES, *_downloaded()]
    return next((Path(each) for each in candidates if each and _starts(each, "--version")), None)


def java() -> Path | None:
    """Java for the HTML validator, None if there is none that starts (macOS has a stub that does not)."""
    named = os.environ.get("JAVA")
    candidates = [named] if named else [shutil.which("java"), *JAVA_PLACES]
    return next((Path(each) for each in candidates if each and _starts(each, "-version")), None)


def server(name: str) -> Path | None:
    """A server's program, also where ordinary users do not look."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def nginx() -> Path | None:
    """The web server that stands before a cluster, None if there is none that starts."""
    candidates = [shutil.which("nginx"), *NGINX_PLACES]
    return next((Path(each) for each in candidates if each and _starts(each, "-v")), None)


def _downloaded() -> list[str]:
    found = [path for folder, pattern in DOWNLOADED for path in Path(folder).expanduser().glob(pattern)]
    return [str(path) for path in sorted(found, reverse=True)]


def _starts(program: str, option: str) -> bool:
    try:
        return subprocess.run([program, option], capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _apt() -> list[str] | None:
    """How to call apt-get without being asked anything; None where that is not allowed."""
    if shutil.which("apt-get") is None:
        return None
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
    if os.geteuid() == 0:
        return quiet
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n", *quiet]
    return None


def _install(names: list[str], log: Path) -> None:
    """Installs what apt offers under these names; what fails is seen when it is looked for again."""
    apt = _apt()
    if apt is None:
        return
    packages = [PACKAGES[name] for name in names]
    print(f"Installing {' and '.join(packages)} …", flush=True)
    with log.open("w") as said:
        for words in (["update"], *(["install", "--no-install-recommends", package] for package in packages)):
            subprocess.run([*apt, *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False)


def missing(*, drill: bool = False) -> list[str]:
    """Which of them are not there."""
    wanted = {"Chromium": chromium, "Java": java, "nginx": nginx}
    if drill:
        wanted |= {"PgBouncer": lambda: server("pgbouncer")}
    return [name for name, find in wanted.items() if find() is None]


def main() -> int:
    """0 when everything is there (now), 1 with one sentence per missing thing."""
    drill = "drill" in sys.argv[1:]
    lacking = missing(drill=drill)
    if not lacking:
        return 0
    log = Path(tempfile.gettempdir()) / f"codyverse-apt-{os.getpid()}.log"
    _install(lacking, log)
    lacking = missing(drill=drill)
    for name in lacking:
        details = f" What apt said: {log}" if log.exists() else ""
        print(f"The tests need {name}: {ADVICE[name]}.{details}", file=sys.stderr)
    if not lacking:
        log.unlink(missing_ok=True)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
