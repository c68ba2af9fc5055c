"""Helpers that every other package uses: paths, devices, files written whole, tables as text, pictures."""
