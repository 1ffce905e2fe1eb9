"""Results of other tools, read so that they stand beside our own: garak, lm-evaluation-harness, inspect, promptfoo."""
