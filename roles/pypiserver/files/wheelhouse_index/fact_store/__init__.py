"""What lasts and cannot be found out from files: the store of facts in ``packages/.wheelhouse/``, and the change log."""
