"""The ways in which a use case can fail; each face maps them to its own answer in one place."""


class DomainError(Exception):
    """Something a person can be told. `message` is fit for the page; `code` is the contract's code."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class NotFound(DomainError):
    """It does not exist, or the person asking must not learn that it does."""

    code = "NOT_FOUND"


class NotSignedIn(DomainError):
    """Somebody must sign in first."""

    code = "UNAUTHORIZED"


class NotAllowed(DomainError):
    """Signed in, but not permitted."""

    code = "FORBIDDEN"


class Conflict(DomainError):
    """It contradicts what has already happened; a reload shows the current state."""

    code = "CONFLICT"


class Stale(Conflict):
    """It was changed since the person read it, and they asked to write only over what they have read."""

    code = "PRECONDITION_FAILED"


class Invalid(DomainError):
    """The input is not acceptable. `fields` maps a field's name to its faults ('' for the whole)."""

    code = "VALIDATION_ERROR"

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__("; ".join(fault for faults in fields.values() for fault in faults))
        self.fields = fields


class TooMany(DomainError):
    """Too many tries; `retry_after` in seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """A part that is needed does not answer; trying again later is right. `retry_after` in seconds."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ExternalFault(Unavailable):
    """A service of others does not answer: the mail server, a sign-in provider, the receiver of webhooks."""


class NotIdentified(Exception):
    """A sign-in provider did not say who somebody is, or said it in a way that must not be believed."""
