"""Detectors of generated and manipulated pictures, videos and speech, and a probe of detectability."""
