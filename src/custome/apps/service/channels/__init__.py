"""Ways by which customers write from elsewhere: each an adapter of its own protocol, none of which knows the assistant."""
