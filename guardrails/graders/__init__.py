"""Graders label a text or an exchange, one file per grader. `guardrails.core.grading` has their interface."""
