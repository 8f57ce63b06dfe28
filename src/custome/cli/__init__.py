"""The command line: flags in, one call down, words out. Only here is anything printed."""
