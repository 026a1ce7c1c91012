"""An authenticator in software: makes passkeys and signs with them, as a phone does (WebAuthn level 2, ES256, no attestation)."""

import hashlib
import json
import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


def written(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def read(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey. `counts` is how often it has signed; `origin` is the page that asks."""

    origin: str
    verifies: bool = True
    counts: int = 0
    id: bytes = field(default_factory=lambda: os.urandom(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: str) -> str:
        """What a browser answers to the options for a new passkey."""
        given = json.loads(options)
        numbers = self.key.public_key().public_numbers()
        key = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + key
        data = self._data(given["rp"]["id"], NEW_KEY) + attested
        whole = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", given["challenge"])
        return self._credential({"clientDataJSON": written(client), "attestationObject": written(whole)})

    def sign(self, options: str) -> str:
        """What a browser answers to the options for signing in."""
        given = json.loads(options)
        self.counts += 1
        data = self._data(given["rpId"])
        client = self._client("webauthn.get", given["challenge"])
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            {
                "clientDataJSON": written(client),
                "authenticatorData": written(data),
                "signature": written(signed),
            }
        )

    def _data(self, host: str, more: int = 0) -> bytes:
        flags = PRESENT | (VERIFIED if self.verifies else 0) | more
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + struct.pack(">I", self.counts)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _credential(self, response: dict[str, Any]) -> str:
        name = written(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
