"""Does the model tell which items it was trained on?"""
