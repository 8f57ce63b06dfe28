"""A recipe becomes a finished run: in this process, behind a page, or watched from outside."""
