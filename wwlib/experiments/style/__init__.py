"""Lesson 16: content and style, and what a style code holds of the variation within a style."""
