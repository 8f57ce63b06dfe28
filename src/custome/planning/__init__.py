"""Memory and time of a training run before it starts: arithmetic on shapes and settings; no weights, no torch."""
