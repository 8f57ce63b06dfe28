"""Base model in, model out: where it comes from, how it is loaded, how messages become tokens, how adapters are saved."""
