"""What goes in and out over the API, declared once: validation, answers and the OpenAPI document come from it."""
