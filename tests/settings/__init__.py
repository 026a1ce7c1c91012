"""Settings: what is accepted, refused and said."""
