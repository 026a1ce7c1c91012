"""The application, for `flask` and for the WSGI server."""

from codyverse import create_app

app = create_app()
