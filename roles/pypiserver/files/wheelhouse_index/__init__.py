"""Pypiserver, with an index whose reads are files.

NGINX serves what this package writes into ``index/``; pypiserver takes uploads and removals, and answers what is not
there. It runs inside pypiserver's official image and uses nothing but the standard library and pypiserver itself.

How data flows::

    upload ── forms ── incoming ──┐
                                  ├── store ── catalogue (what is known of each file) ── pages ── index/
    scan of packages/ ────────────┘

``backend`` is pypiserver's extension point, ``keeper`` the thread that looks after files which arrive by other ways.
"""
