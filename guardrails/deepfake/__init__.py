"""Can synthetic pictures be told from real ones?"""
