"""Lesson 19: translations between frozen networks."""
