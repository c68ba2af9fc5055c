"""Lessons as files, what a lesson calls (`begin`, `check`, `quiz`), copies for a class, tables of the documents."""
