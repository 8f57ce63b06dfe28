"""Conversations of every app: where they are kept, and who is writing into which."""
