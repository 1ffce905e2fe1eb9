"""Types that all other packages use: errors, results, probes, detectors, targets, statistics."""
