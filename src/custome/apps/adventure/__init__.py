"""A game that is played in words: code owns what is so, a model tells it."""
