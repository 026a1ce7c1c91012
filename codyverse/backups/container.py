"""The file of a backup: a head that anybody may read, then sealed frames of which none can be changed or left out.

::

    codyverse-backup 1
    {"version": "0.1.0", "migration": "…", "made": "…", "salt": "…" or null}
    frame, frame, …, the last one marked as such

Each frame is sealed together with the head, its number and whether it is the last: with AES-GCM under a key from scrypt
when a key is given, else with SHA-256, which finds accidents and no attackers. So a file that is cut off, turned over
or damaged is found before anything of it is used.
"""

import hashlib
import hmac
import json
import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from codyverse.core.errors import Conflict

MAGIC = b"codyverse-backup "
FORMAT = 1
FRAME = 1 << 20
_HEAD_MOST = 1 << 16
_FRAME_HEAD = struct.Struct(">?I")
_DIGEST = 32


class Unusable(Conflict):
    """A backup that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Head:
    """What may be known of a backup without its key. `salt` is None if it is not encrypted."""

    version: str
    migration: str
    made: str
    salt: str | None

    def encoded(self) -> bytes:
        told = {name: getattr(self, name) for name in self.__slots__}
        return MAGIC + f"{FORMAT}\n".encode() + json.dumps(told).encode() + b"\n"


class _Seal(Protocol):
    def close(self, number: int, last: bool, data: bytes) -> bytes: ...
    def open(self, number: int, last: bool, sealed: bytes) -> bytes | None: ...


class _Digest:
    """Frames followed by their digest."""

    def __init__(self, head: bytes) -> None:
        self.head = hashlib.sha256(head).digest()

    def _of(self, number: int, last: bool, data: bytes) -> bytes:
        return hashlib.sha256(self.head + struct.pack(">Q?", number, last) + data).digest()

    def close(self, number: int, last: bool, data: bytes) -> bytes:
        return data + self._of(number, last, data)

    def open(self, number: int, last: bool, sealed: bytes) -> bytes | None:
        data, digest = sealed[:-_DIGEST], sealed[-_DIGEST:]
        return data if hmac.compare_digest(digest, self._of(number, last, data)) else None


class _Cipher:
    """Frames encrypted. The key is of this one file, for its salt is; so a counter is a safe nonce."""

    def __init__(self, head: bytes, salt: str, key: bytes) -> None:
        self.head = hashlib.sha256(head).digest()
        derived = Scrypt(salt=bytes.fromhex(salt), length=32, n=2**15, r=8, p=1).derive(key)
        self.cipher = AESGCM(derived)

    def _about(self, number: int, last: bool) -> tuple[bytes, bytes]:
        return struct.pack(">IQ", 0, number), self.head + struct.pack(">?", last)

    def close(self, number: int, last: bool, data: bytes) -> bytes:
        nonce, about = self._about(number, last)
        return self.cipher.encrypt(nonce, data, about)

    def open(self, number: int, last: bool, sealed: bytes) -> bytes | None:
        nonce, about = self._about(number, last)
        try:
            return self.cipher.decrypt(nonce, sealed, about)
        except InvalidTag:
            return None


def closed_file(path: Path) -> IO[bytes]:
    """A new file that only its owner may read, opened for writing. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def new_salt() -> str:
    """For a backup that is to be encrypted."""
    return secrets.token_hex(16)


LONGEST_KEY = 65_536
"""Bytes; a file that has more, or no end at all, is not meant."""


def read_key(path: Path) -> bytes:
    """The key in a file, without the line's end. Raises Unusable if it cannot be read, is too short, or is no key."""
    try:
        with path.open("rb") as file:
            key = file.read(LONGEST_KEY + 1)
    except OSError as fault:
        raise Unusable(f"The key file {path} cannot be read: {fault.strerror}.") from fault
    if len(key) > LONGEST_KEY:
        raise Unusable(
            f"The key file {path} holds more than {LONGEST_KEY} bytes, so it is no key: name the right file."
        )
    key = key.strip()
    if len(key) < 16:
        raise Unusable(
            f"The key in {path} is too short: write at least 16 characters, for example what "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'` prints."
        )
    return key


def write(file: IO[bytes], head: Head, parts: Iterable[bytes], key: bytes | None) -> None:
    """Write a whole backup. A part begins a frame of its own, and is read back as one if it is not longer than that."""
    encoded = head.encoded()
    seal = _seal(encoded, head.salt, key)
    file.write(encoded)
    number, before = 0, b""
    for part in parts:
        for begin in range(0, len(part), FRAME):
            if before:
                _write_frame(file, seal, number, before, last=False)
                number += 1
            before = part[begin : begin + FRAME]
    _write_frame(file, seal, number, before, last=True)


def _write_frame(file: IO[bytes], seal: _Seal, number: int, data: bytes, *, last: bool) -> None:
    sealed = seal.close(number, last, data)
    file.write(_FRAME_HEAD.pack(last, len(sealed)) + sealed)


def _seal(encoded: bytes, salt: str | None, key: bytes | None) -> _Seal:
    if salt is None:
        return _Digest(encoded)
    if key is None:
        raise Unusable("The backup is encrypted: name the file with its key, --key-file PATH.")
    return _Cipher(encoded, salt, key)


def read_head(file: IO[bytes], name: str) -> Head:
    """The head; the file stands at the first frame then. Raises Unusable."""
    first = file.readline(_HEAD_MOST)
    if not first.startswith(MAGIC) or not first.endswith(b"\n"):
        raise Unusable(f"{name} is no backup of Cody Verse, or it is damaged at its beginning.")
    if first != MAGIC + f"{FORMAT}\n".encode():
        raise Unusable(f"{name} was written by a newer version of Cody Verse: update, then restore.")
    line = file.readline(_HEAD_MOST)
    try:
        told: dict[str, Any] = json.loads(line)
        head = Head(**told)
        bytes.fromhex(head.salt or "")
    except (ValueError, TypeError, AttributeError) as fault:
        raise Unusable(f"{name} is damaged at its beginning.") from fault
    if first + line != head.encoded():
        raise Unusable(f"{name} is damaged at its beginning.")
    return head


def read_parts(file: IO[bytes], name: str, head: Head, key: bytes | None) -> Iterator[bytes]:
    """The content, each part proved before it is given. Raises Unusable; what was given before is worthless then."""
    seal = _seal(head.encoded(), head.salt, key)
    number, last = 0, False
    while not last:
        framed = file.read(_FRAME_HEAD.size)
        if len(framed) < _FRAME_HEAD.size:
            raise Unusable(f"{name} is cut off: its end is missing.")
        marked, length = _FRAME_HEAD.unpack(framed)
        if framed[0] > 1 or length > FRAME + _DIGEST:
            raise Unusable(f"{name} is damaged.")
        sealed = file.read(length)
        if len(sealed) < length:
            raise Unusable(f"{name} is cut off: its end is missing.")
        data = seal.open(number, marked, sealed)
        if data is None:
            wrong = " The key does not fit, or the file is damaged." if head.salt and number == 0 else ""
            raise Unusable(f"{name} cannot be opened.{wrong}" if wrong else f"{name} is damaged.")
        yield data
        number, last = number + 1, marked
    if file.read(1):
        raise Unusable(f"{name} is damaged: something follows its end.")
