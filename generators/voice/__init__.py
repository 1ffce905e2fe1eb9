"""`voice`: a source-filter synthesizer of speech."""
