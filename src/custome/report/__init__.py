"""Tables and pages that are made to be read: Markdown, and self-contained HTML out of templates/."""
