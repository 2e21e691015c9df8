"""The project file: what it wants compared with what is there, carried out, and written from what exists."""
