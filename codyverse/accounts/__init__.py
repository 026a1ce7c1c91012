"""People: accounts, passwords, sessions, time zones."""
