"""The game: ledger, levels, streak, goals."""
