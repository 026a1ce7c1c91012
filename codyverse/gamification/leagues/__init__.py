"""Leagues: weekly cohorts of at most thirty who asked for it, under invented names, with a quest they do together."""
