"""What makes the records and weights in `data/`, and the tables that are read off them."""
