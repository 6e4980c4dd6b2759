"""The processes of pypi-server: what answers readers, what looks after the index, its health and settings."""
