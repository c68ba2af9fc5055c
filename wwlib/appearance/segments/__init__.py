"""Segments of lesson 15: what they are asked for, how good they are, and their pictures."""
