"""Lesson 15: parts as segments that nobody has named."""
