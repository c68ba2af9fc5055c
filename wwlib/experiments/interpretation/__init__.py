"""Lesson 17: interpretations of three frozen networks."""
