"""Answers from documents of one's own, every sentence with the place it stands."""
