"""Lesson 04's comparison of two losses."""
