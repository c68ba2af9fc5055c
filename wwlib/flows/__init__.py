"""The invertible networks of Part II: flows, interpretation, invariances, translation, fusion."""
