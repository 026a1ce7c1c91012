"""Secrets that have to be read again: kept encrypted in the database under a key that is not in it."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


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
