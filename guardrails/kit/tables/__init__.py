"""Reading tables: the dialect of a file, its cells, and column types decided over several tables."""
