"""Runs programs of the courses, each in a process of its own: `python -I -S runner.py < jobs.json`.

Knows nothing of this project and imports nothing but the standard library, so that a program cannot either.
"""

import contextlib
import io
import json
import math
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings

SECONDS = 10
BYTES = 1 << 30


def run(job: dict) -> dict:
    """Run the pieces of a program one after the other; only what the last one prints counts."""
    names: dict = {"__name__": "__main__"}
    printed = io.StringIO()
    try:
        for piece in job["pieces"]:
            printed = io.StringIO()
            sys.stdin = io.StringIO(piece["stdin"])
            with contextlib.redirect_stdout(printed):
                exec(compile(piece["code"], "program", "exec"), names)
    except SystemExit:
        return {"printed": printed.getvalue(), "error": None}
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
        return {"printed": printed.getvalue(), "error": traceback.format_exception_only(error)[-1].strip()}
    return {"printed": printed.getvalue(), "error": None}


def check(job: dict) -> dict:
    """Evaluate an expression with nothing but built-ins and math."""
    try:
        value = eval(job["expression"], {"math": math})
    except Exception as error:  # noqa: BLE001 - whatever it raises is its result
        return {"value": None, "error": f"{type(error).__name__}: {error}"}
    return {"value": value is True, "error": None if value is True else repr(value)}


def isolated(job: dict) -> dict:
    """Do a job in a child process with limits on time and memory."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        signal.alarm(job.get("seconds", SECONDS))
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            result = check(job) if "expression" in job else run(job)
            os.chdir("/")
        with os.fdopen(writing, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {
            "printed": "",
            "error": f"stopped by signal {os.WTERMSIG(status)}",
            "value": None,
        }
    return json.loads(text)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    json.dump([isolated(job) for job in json.load(sys.stdin)], sys.stdout)
