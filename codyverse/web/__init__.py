"""The pages: parse, authorise, call a service, render."""
