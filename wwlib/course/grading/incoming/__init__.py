"""What was handed in: files and zips, the forms of platforms, the people, and what a notebook holds."""
