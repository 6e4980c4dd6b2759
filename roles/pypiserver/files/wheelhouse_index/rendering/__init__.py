"""Pages as text. Pure functions: they neither read nor write a file."""
