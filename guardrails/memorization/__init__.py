"""Did the model learn its training data by heart?"""
