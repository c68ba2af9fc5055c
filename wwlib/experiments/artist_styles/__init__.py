"""Lesson 16 on drawings by artists: the same attributes in another artist's hand."""
