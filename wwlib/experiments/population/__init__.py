"""The population of models of lessons 09 and 10, and the search without labels."""
