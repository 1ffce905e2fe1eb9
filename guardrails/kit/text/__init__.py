"""Text as it is stored: files, records, documents, and messages of conversations."""
