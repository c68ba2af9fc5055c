"""Worlds with known factors, rendered or drawn by artists, folders of pictures, and readers of the published sets."""
