"""Pages, one file a page. They know apps and the Engine protocol, never models."""
