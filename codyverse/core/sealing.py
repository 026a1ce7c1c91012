"""Secrets that have to be read again: kept encrypted in the database under a key that is not in it."""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class CannotOpen(Exception):
    """It was sealed under another key, for another purpose, or has been changed."""


class Seal:
    """Seals for one `purpose` under a key derived from the setting SECRET_KEY (HKDF, RFC 5869; Fernet).

    What was sealed for one purpose cannot be opened for another. With another SECRET_KEY nothing can be opened.
    """

    def __init__(self, secret_key: str, purpose: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=f"codyverse:{purpose}".encode())
        self._box = Fernet(base64.urlsafe_b64encode(derived.derive(secret_key.encode())))

    def close(self, secret: str) -> str:
        """What may be kept."""
        return self._box.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """The secret again. Raises CannotOpen."""
        try:
            return self._box.decrypt(sealed.encode()).decode()
        except InvalidToken as fault:
            raise CannotOpen from fault


class DocumentSeal:
    """The same for whole documents: bytes in, hardly more bytes out (AES-256-GCM).

    `about` says whose it is and what, and has to be said again: a row that was put in another's place cannot be opened.
    """

    def __init__(self, secret_key: str, purpose: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=f"codyverse:document:{purpose}".encode())
        self._box = AESGCM(derived.derive(secret_key.encode()))

    def close(self, document: bytes, about: str) -> bytes:
        """What may be kept."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._box.encrypt(nonce, document, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """The document again. Raises CannotOpen."""
        try:
            return self._box.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
        except InvalidTag as fault:
            raise CannotOpen from fault
