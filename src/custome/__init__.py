"""LLM Custome: any book, chat log or document set becomes a language model of one's own.

Levels, imports point down only (checked by tests/test_layers.py):

    L6 cli · L5 server, webui, evaluation · L4 apps · L3 training, engine · L2 corpus, models · L1 config, reporter, resources
    · L0 errors, types
"""

__version__ = "0.1.0"
