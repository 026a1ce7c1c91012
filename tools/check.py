"""`make check`: every check that needs no running application, two at a time, one line each; all faults in one go."""

import concurrent.futures
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS: dict[str, list[str]] = {
    "types": [str(BIN / "mypy")],
    "format": [str(BIN / "ruff"), "format", "--check", "--output-format", "concise"],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--output-format", "concise"],
    "layers": [str(BIN / "lint-imports"), "--no-logo", "--no-cache"],
    "templates": [str(BIN / "djlint"), "templates", "--lint", "--quiet"],
    "styles and scripts": [sys.executable, "tools/assets.py", "--lint"],
    "locks": [sys.executable, "tools/locks.py", "--check"],
    "content": [str(BIN / "flask"), "content", "lint"],
}


def run(name: str) -> tuple[str, bool, float, str]:
    """Name, whether it passed, how many seconds it took, what it said."""
    start = time.monotonic()
    done = subprocess.run(
        CHECKS[name], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return name, done.returncode == 0, time.monotonic() - start, (done.stdout + done.stderr).strip()


def main() -> int:
    """0 when every check (or every one that is named on the command line) passed."""
    names = sys.argv[1:] or list(CHECKS)
    failed = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, passed, seconds, said in pool.map(run, names):
            print(f"{'ok    ' if passed else 'FAILED'} {name} ({seconds:.1f} s)", flush=True)
            if not passed:
                failed.append(name)
                print("\n".join(f"    {line}" for line in said.splitlines()), flush=True)
    print(f"make check: {', '.join(failed)} failed." if failed else "make check: everything passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
