"""How tables are read: the dialect of a file, its cells as text, and kinds of columns decided over several tables."""
