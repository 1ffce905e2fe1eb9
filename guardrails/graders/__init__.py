"""Graders: what labels a text or an exchange, one file for each kind. `guardrails.core.grading` has their contract."""
