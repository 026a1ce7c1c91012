"""The one error of the embedded database: a sentence that says what is wrong and what to do."""


class EmbeddedPostgresError(Exception):
    """PostgreSQL could not be found, created or started; the text is meant for the person at the keyboard."""
