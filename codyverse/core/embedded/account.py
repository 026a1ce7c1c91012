"""Which user PostgreSQL runs as: the one at the keyboard, or an unprivileged one when that is root."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codyverse.core.embedded.errors import EmbeddedPostgresError
from codyverse.core.embedded.programs import Programs

UNPRIVILEGED_USERS = ("codyverse", "nobody")
CACHE_FOLDERS = (Path("/var/cache"), Path(tempfile.gettempdir()))
HERE = "/proc/self/cwd"
"""A path to the working directory that needs no right to enter the folders above it."""


@dataclass(frozen=True)
class Account:
    """The user and group of the PostgreSQL processes."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """True when the processes have to change user, which only root can do."""
        return self.uid != os.geteuid()

    def for_popen(self) -> dict[str, Any]:
        """The arguments that let ``subprocess`` start a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}

    def give(self, path: Path) -> None:
        """Makes this user the owner of a file or folder."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """True when this user may go down to ``folder`` (by modes; root needs no look)."""
        if not self.is_other:
            return True
        return all(self._may_pass(each.stat()) for each in (folder, *folder.parents))

    def _may_pass(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def account_for(data: Path) -> Account:
    """The account that owns ``data`` or shall own it; EmbeddedPostgresError if that is somebody else's."""
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise EmbeddedPostgresError(
                f"The database in {data} belongs to {_name(owner.st_uid)}: run this as the user who made it "
                "(sudo, if that was root), or choose another folder with CODYVERSE_DATA."
            )
        return Account(os.geteuid(), os.getegid())
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root and there is no user nobody to run it as: create a user codyverse, "
        "or set DATABASE_URL."
    )


def reachable_programs(programs: Programs, account: Account) -> Programs:
    """The same programs where ``account`` can run them: copied once to an open folder if they lie in a closed one."""
    if account.may_enter(programs.bin):
        return programs
    if not programs.roots:
        raise EmbeddedPostgresError(
            f"PostgreSQL has to run as {_name(account.uid)}, who may not enter {programs.bin}: "
            "run Cody Verse as an ordinary user, or set DATABASE_URL."
        )
    cache = next(each for each in CACHE_FOLDERS if each.is_dir() and os.access(each, os.W_OK))
    target = cache / f"codyverse-postgres-{programs.version}-{programs.roots[0].stat().st_mtime_ns:x}"
    if not target.exists():
        _copy_open(programs.roots, target)
    status = target.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise EmbeddedPostgresError(f"{target} was not made by Cody Verse: remove it and start again.")
    binaries = target / programs.bin.relative_to(programs.roots[0].parent)
    return Programs(binaries, programs.major, programs.version, ())


def _copy_open(roots: tuple[Path, ...], target: Path) -> None:
    """Copies whole folders so that everybody may read and run them; complete or not at all."""
    draft = Path(tempfile.mkdtemp(prefix=target.name + ".", dir=target.parent))
    try:
        for root in roots:
            shutil.copytree(
                root,
                draft / root.name,
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "__pycache__"),
            )
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        draft.rename(target)
    except FileExistsError:
        pass
    except OSError as fault:
        if not target.exists():
            raise EmbeddedPostgresError(
                f"The PostgreSQL programs could not be copied to {target.parent}: {fault.strerror}."
            ) from fault
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def data_argument(data: Path, account: Account) -> str:
    """How to name the data folder to a program whose working directory it is.

    Under a closed folder (root's home is one) the unprivileged user could not resolve the full path.
    """
    if account.may_enter(data):
        return str(data)
    if not sys.platform.startswith("linux"):
        raise EmbeddedPostgresError(
            f"PostgreSQL has to run as {_name(account.uid)}, who may not enter {data}: choose an open folder with "
            "CODYVERSE_DATA, or run Cody Verse as an ordinary user."
        )
    return HERE


def _name(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user number {uid}"
