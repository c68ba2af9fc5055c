"""Lessons 14 and 15 beyond what was rendered for them: parts of drawn portraits, beside where a generator acts."""
