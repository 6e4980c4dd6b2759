"""Pypiserver, with an index whose reads are files.

NGINX serves what this package writes into ``index/``. This package takes uploads and removals itself; pypiserver answers
what disk does not have yet. It runs inside pypiserver's official image and uses the standard library, pypiserver, and
``packaging``, which pypiserver needs as well.

How data flows::

    upload ── forms ── changes ── incoming ──┐
                                             ├── store ── catalogue (what is known of each file) ── pages ── index/
    scan of packages/ ───────────────────────┘

``store`` is what clients change. It stands on ``writing`` (pages follow the catalogue), that on ``taking_in`` (files are read and
noted), that on ``folders`` (what has to be there, and the lock).

Beside the files, ``facts`` is the store of what they do not tell: ``claims`` on names, ``records`` of who published what when,
``decisions`` (yanks, statuses), ``quarantine``. ``recording`` writes it before anything is listed; ``deciding`` takes the forms.

``importing`` and ``yanking`` take what playbooks send, ``listing`` tells who did what (``history``): commands of their own.

``names`` and ``metadata`` say whose file it is; ``backend`` is pypiserver's extension point; ``keeper`` is the thread that
looks after files which arrive by other ways.
"""

# The collection's version (galaxy.yml); a test compares them.
__version__ = "0.1.0"
