"""Judging what the user sees: base and tuned side by side."""
