"""Lesson 14: landmarks and their looks, learned from single pictures."""
