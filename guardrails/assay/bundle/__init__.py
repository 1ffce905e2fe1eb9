"""Evidence bundles: a run in one signed archive, and the check that nothing in it was altered."""
