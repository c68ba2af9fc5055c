"""The map of all ten systems, which ends lesson 16: one table, and a picture for each of them."""
