"""What is made to be read: Markdown, self-contained HTML out of templates/, lines of a terminal."""
