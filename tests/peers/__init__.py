"""Other indexes that serve private and public packages by one URL, started on a host beside ours."""
