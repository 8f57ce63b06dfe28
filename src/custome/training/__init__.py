"""Samples and a base model → a run folder. The story begins in finetune.py."""
