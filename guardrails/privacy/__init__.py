"""Privacy probes: does the model or a synthetic table reveal personal data?"""
