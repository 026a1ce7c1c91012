"""The application, for `flask` and for the WSGI server."""

import sys

from codyverse import create_app
from config import SettingsError

try:
    app = create_app()
except SettingsError as fault:
    sys.exit(str(fault))
