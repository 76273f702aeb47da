"""Route plans: for each region the warehouses that serve it, in the order in which they are tried."""
