"""The tools that people publish and install with, tried on a running index; what works is the table in docs/clients.md."""
