"""Built-in sentence sets: templates with the construct that each measures, in English, Spanish and German."""
