"""Landmarks of lesson 14: what they are asked for, how good they are, and their pictures."""
