"""A step, the loop around it, checkpoints, recipes, memory, several processes."""
