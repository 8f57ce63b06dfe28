"""Documents → chunks → index → hits with reasons. No torch, no model of its own."""
