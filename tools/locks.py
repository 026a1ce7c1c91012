"""Makes the lock files from pyproject.toml (`make lock`), or says whether they are in step with it (--check).

The check needs no network: it compares the names that the locks call direct with those of pyproject.toml, the pinned
versions with what pyproject.toml allows, and the two locks with each other.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
RUN, DEV, INSTALLER = (ROOT / f"requirements{part}.lock" for part in ("", "-dev", "-uv"))
OPTIONS = ["--universal", "--generate-hashes", "--no-emit-index-url", "--python-version", "3.11"]


def main() -> int:
    """0 when all is well."""
    if "--check" in sys.argv[1:]:
        faults = check()
        print("\n".join(faults) if faults else "The lock files are in step with pyproject.toml.")
        return 1 if faults else 0
    make(upgrade="--upgrade" in sys.argv[1:])
    return 0


def make(*, upgrade: bool) -> None:
    """Locks anew; versions stay unless `upgrade` or pyproject.toml says otherwise."""
    more = ["--upgrade"] if upgrade else []
    _compile(["pyproject.toml", *OPTIONS, *more, "-o", RUN.name])
    _compile(["pyproject.toml", "--group", "dev", *OPTIONS, *more, "-c", RUN.name, "-o", DEV.name])
    head = "".join(line for line in INSTALLER.read_text().splitlines(keepends=True) if line.startswith("#"))
    if upgrade:
        done = subprocess.run(
            [sys.executable, "-m", "uv", "pip", "compile", "-", *OPTIONS, "--no-header", "--no-annotate"],
            input="uv\n", stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
        INSTALLER.write_text(head + done.stdout)


def _compile(words: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "uv", "pip", "compile", "--quiet", *words], cwd=ROOT, check=True)


def check() -> list[str]:
    """One sentence per fault."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [Requirement(each) for each in project["project"]["dependencies"]]
    for_tests = [Requirement(each) for each in project["dependency-groups"]["dev"]]
    run, dev = pins(RUN), pins(DEV)
    faults = [*_compare(RUN, run, needed), *_compare(DEV, dev, needed + for_tests)]
    for name, (version, _) in run.items():
        if dev.get(name, ("nothing", False))[0] != version:
            faults.append(f"{RUN.name} pins {name} {version}, but {DEV.name} does not: call make lock.")
    return faults


def pins(lock: Path) -> dict[str, tuple[str, bool]]:
    """Name → version, and whether pyproject.toml asked for it. ValueError for a pin without a hash."""
    found: dict[str, tuple[str, bool]] = {}
    for block in re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]:
        name, version = re.match(r"([\w.-]+)==([^\s;]+)", block).groups()  # type: ignore[union-attr]
        if "--hash=sha256:" not in block:
            raise ValueError(f"{lock.name}: {name} has no hash")
        found[canonicalize_name(name)] = (version, "codyverse (pyproject.toml" in block)
    return found


def _compare(lock: Path, pinned: dict[str, tuple[str, bool]], needed: list[Requirement]) -> list[str]:
    faults = []
    for each in needed:
        version = pinned.get(canonicalize_name(each.name), ("", False))[0]
        if not version:
            faults.append(f"{lock.name} lacks {each.name}: call make lock.")
        elif not each.specifier.contains(version, prereleases=True):
            faults.append(
                f"{lock.name} pins {each.name} {version}, but pyproject.toml wants {each.specifier}: call make lock."
            )
    names = {canonicalize_name(each.name) for each in needed}
    left = sorted(name for name, (_, direct) in pinned.items() if direct and name not in names)
    faults += [
        f"{lock.name} still has {name}, which pyproject.toml no longer names: call make lock."
        for name in left
    ]
    return faults


if __name__ == "__main__":
    sys.exit(main())
