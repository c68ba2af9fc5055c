"""Lesson 18: what each layer of a classifier leaves open."""
