"""Reports: the database, for reading. What they give stands at one sequence of the journal, and says which."""
