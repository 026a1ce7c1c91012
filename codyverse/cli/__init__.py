"""The commands: flask users, content, ledger, demo, serve."""
