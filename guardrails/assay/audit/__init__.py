"""An audit: plan, collection, measurement, findings."""
