"""Lesson 13: robust disentangling of pose and appearance."""
