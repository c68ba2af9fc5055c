"""Appearance and pose of figures, taken apart: lessons 12 to 16."""
