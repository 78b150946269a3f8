"""The site: its settings, what mkdocs is to add (`hooks`), and the reference that is made of the code (`reference`)."""
