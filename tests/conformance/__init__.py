"""Checks of an index that serves private and public packages by one URL, whichever program it is."""
