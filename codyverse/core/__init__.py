"""What every domain stands on: database, clock, events, errors. Knows no domain."""
