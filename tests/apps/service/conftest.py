"""Databases for the desk."""

from databases import empty_url, postgresql  # noqa: F401
