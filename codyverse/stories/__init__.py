"""Believable histories, many and fast: lived in memory by the rules of the game, and copied into the tables."""
