"""Right answers as learners write them, at least six for every exercise, in different styles; nothing of wwlib."""
