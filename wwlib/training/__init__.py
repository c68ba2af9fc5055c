"""Training: one step, the loop around it, checkpoints, recipes, need of memory, several processes."""
