"""Scenes and styles of lesson 16: what a picture shows, and how it is painted, each drawn from known numbers."""
