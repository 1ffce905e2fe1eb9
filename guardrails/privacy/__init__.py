"""Does the model give away personal data?"""
