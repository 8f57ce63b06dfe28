"""What people do with a model. Apps know the Engine protocol, never what is behind it."""
