"""Packages and pages in step: the catalogue, what is taken in from packages/, what is written to index/, and the lock."""
