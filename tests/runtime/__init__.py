"""The runtime: processes that start, share, stop, crash and leave nothing behind."""
