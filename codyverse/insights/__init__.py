"""What operators may know about how people learn: reckoned once a day for all together, never about one person."""
