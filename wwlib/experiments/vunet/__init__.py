"""Lesson 12: the Variational U-Net on puppets."""
