"""Data sets: rendered or drawn pictures with known factors, folders of pictures, readers of the published sets."""
