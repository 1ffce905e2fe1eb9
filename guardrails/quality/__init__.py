"""Quality probes: do the outputs have the variety of real data?"""
