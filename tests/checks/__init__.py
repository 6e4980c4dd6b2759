"""Checks of the whole tree, each a part of `make test`: linters, Ansible's and Galaxy's own, and the archive."""
