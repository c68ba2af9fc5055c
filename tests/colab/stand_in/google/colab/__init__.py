"""Stand in for Colab's own package: lessons ask only whether it is loaded, and for its `drive`."""
