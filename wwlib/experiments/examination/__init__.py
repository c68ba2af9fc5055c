"""Lesson 11's examination of the shipped portraits."""
