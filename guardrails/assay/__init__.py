"""Plans, controls, spikes, the journal, policies: everything around a probe."""
