"""Archives: everything about a person in one file, to read, to keep, to take along to another site."""
