"""What everything rests on: paths, devices, files written whole, tables as text, pictures."""
