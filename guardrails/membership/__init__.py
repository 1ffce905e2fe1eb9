"""Membership probes: does the model reveal which items it was trained on?"""
