"""One place that turns a failure of a command into a plain sentence and an exit code."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import click
from flask import current_app
from sqlalchemy.exc import OperationalError, ProgrammingError

from codyverse.core.embedded import EmbeddedPostgresError
from codyverse.core.errors import DomainError, Invalid
from codyverse.core.health import Monitor

Command = TypeVar("Command", bound=Callable[..., Any])


def speaks_plainly(command: Command) -> Command:
    """Say what went wrong in one sentence on stderr and exit with 1, instead of a traceback. A database that hangs, too, ends it."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with _looked_after():
                return command(*args, **kwargs)
        except Invalid as fault:
            lines = [
                f"{name}: {each}" if name else each
                for name, faults in fault.fields.items()
                for each in faults
            ]
            raise click.ClickException("\n".join(lines)) from fault
        except DomainError as fault:
            raise click.ClickException(fault.message) from fault
        except UnicodeEncodeError as fault:
            raise click.ClickException("What was typed cannot be read: write it in UTF-8.") from fault
        except EmbeddedPostgresError as fault:
            raise click.ClickException(str(fault)) from fault
        except OperationalError as fault:
            raise away(fault) from fault
        except ProgrammingError as fault:
            if getattr(fault.orig, "pgcode", None) == "42P01":
                raise click.ClickException(
                    "The tables are not there yet: run `flask db upgrade` first."
                ) from fault
            raise

    return wrapped  # type: ignore[return-value]


def away(fault: OperationalError) -> click.ClickException:
    """What to say of a database that does not answer; the driver's words hold no password."""
    return click.ClickException(f"The database does not answer: {str(fault.orig).strip()}")


def _looked_after() -> AbstractContextManager[None]:
    if not current_app:
        return nullcontext()
    monitor: Monitor = current_app.extensions["health"]
    return monitor.looking_after()
