"""Backups: one file with everything that the database holds, consistent, checked, sealed if a key is given."""
