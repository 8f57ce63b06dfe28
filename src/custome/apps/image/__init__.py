"""Pictures: what a Chinese sentence means to be seen."""
