"""Adds to the archives in an archive on standard input what Python makes of their modules; writes that to standard output.

Runs on a host, whose Python imports the modules later: others take the modules themselves.
"""

import io
import pathlib
import py_compile
import sys
import tempfile
import zipfile


def compiled(text: bytes, name: str, folder: str) -> bytes:
    """Return the bytecode of a module, which is taken without a look at the module's time."""
    source, target = pathlib.Path(folder, "source.py"), pathlib.Path(folder, "target.pyc")
    source.write_bytes(text)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), str(target), name, doraise=True, invalidation_mode=unchecked)
    return target.read_bytes()


def main() -> None:
    """Do it; a module that several archives have is compiled once."""
    known: dict[tuple[str, bytes], bytes] = {}
    result = io.BytesIO()
    given = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(result, "w") as taken:
        for name in given.namelist():
            archive = io.BytesIO(given.read(name))
            with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as package:
                for module in package.namelist():
                    text = package.read(module)
                    if (module, text) not in known:
                        known[module, text] = compiled(text, module, folder)
                    package.writestr(module + "c", known[module, text])
            taken.writestr(name, archive.getvalue())
    sys.stdout.buffer.write(result.getvalue())


main()
