"""Bias probes: does the model treat groups of people differently?"""
