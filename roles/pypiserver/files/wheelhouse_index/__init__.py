"""Pypiserver, with an index whose reads are files.

NGINX serves what this package writes into ``index/``. This package takes uploads and removals itself; pypiserver answers
what disk does not have yet. It runs inside pypiserver's official image and uses the standard library, pypiserver, and
``packaging``, which pypiserver needs as well.

Each folder imports only from those above it::

    common/      small files that outlast a loss of power, moments, answers in one line, taking connections
    files/       distribution files: names, what is in them, uploads that are not whole yet
    fact_store/  what files do not tell and nothing restores: claims, records, decisions, quarantine, trash; the change log
    rendering/   pages as text
    index/       packages/ and index/ in step: the catalogue, what is taken in, what is written, the lock
    public/      projects of other indexes: the policy, their pages, which files pass, the way to ask upstream
    requests/    forms that change something: the socket that takes them, rights, what becomes of them
    server/      the processes of pypi-server: what answers readers, the keeper, health, metrics, settings
    commands/    import, yank, give-back, trash, prune, list, inspect, and what a backup needs

``__main__`` runs the server and the commands, and ``rebuild`` is a command of its own.

How data flows::

    upload ── requests.forms ── requests.changes ── files.incoming ──┐
                                                                     ├── index.store ── index.catalogue ── rendering ── index/
    scan of packages/ (index.scan, by server.keeper) ────────────────┘

``index.store`` is what clients change. It stands on ``adding`` (uploads that wait for the lock are published together), that on
``writing`` (pages follow the catalogue), that on ``taking_in`` (files are read and noted), that on ``folders`` (what has to be
there, and the lock).

``fact_store.recording`` writes claims and records before anything is listed; ``requests.deciding`` takes the forms that yank and
set a status. ``server.keeper`` is the thread that looks after files which arrive by other ways; ``server.backend`` is
pypiserver's extension point.
"""

# The collection's version (galaxy.yml); a test compares them.
__version__ = "0.1.0"
