"""Distribution files: their names, what is in them, and how uploads wait until they are whole."""
