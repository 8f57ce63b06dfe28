"""A shop's assistant: prices and stock out of rows, answers out of the shop's own words, and a way to a human."""
