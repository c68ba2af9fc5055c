"""Networks that separate shape from appearance: lessons 12 to 16."""
