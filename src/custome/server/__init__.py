"""An OpenAI-compatible API over any engine."""
