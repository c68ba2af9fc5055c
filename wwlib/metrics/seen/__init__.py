"""Measures of what a generator shows: traversal score, VP score, picture quality, and the judges that look."""
