"""Engines answer requests: local.py computes here, scripted.py is the public test double, base.py is what they share."""
