"""Lesson 20: one frozen image model, several experts."""
