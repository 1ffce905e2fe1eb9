"""Reading texts: files, records, documents, and messages of conversations."""
