"""What passkeys need of the WebAuthn library. Imported when it is needed: it takes a second and 16 MB, and few sign in so."""

from dataclasses import dataclass
from typing import Any

import webauthn
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

UNREADABLE = (WebAuthnException, ValueError, TypeError, KeyError)


class NotVerified(Exception):
    """What the browser sent is no good."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A passkey that was made: its id, its public key (COSE), and its counter."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


def creation_options(
    host: str, issuer: str, handle: bytes, *, email: str, name: str, challenge: bytes, known: list[bytes]
) -> str:
    """What the browser needs to make a passkey, as JSON."""
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=issuer,
        user_id=handle,
        user_name=email,
        user_display_name=name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
    )
    return webauthn.options_to_json(options)


def registered(credential: dict[str, Any], challenge: bytes, host: str, origin: str) -> NewKey:
    """The passkey in a browser's answer. Raises NotVerified."""
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            require_user_verification=True,
        )
    except UNREADABLE as fault:
        raise NotVerified from fault
    return NewKey(made.credential_id, made.credential_public_key, made.sign_count)


def signed(
    credential: dict[str, Any],
    challenge: bytes,
    host: str,
    origin: str,
    *,
    public_key: bytes,
    sign_count: int,
    must_verify: bool,
) -> int:
    """The passkey's new counter, if it has signed this challenge. Raises NotVerified."""
    try:
        return webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=must_verify,
        ).new_sign_count
    except UNREADABLE as fault:
        raise NotVerified from fault
