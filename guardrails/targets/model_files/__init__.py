"""Files of a model: checked, bounded and loaded without running code."""
