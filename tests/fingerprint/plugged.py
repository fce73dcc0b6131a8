"""A toy in place of a licensed hasher: installs it as a package would be, in a directory for the import path."""

from __future__ import annotations

from pathlib import Path

TOY = '''
"""The sum of the bytes at each of 144 places of the file, one after the other: as wide as a PhotoDNA code."""

threshold = 10
WIDTH = 144


def code(data):
    if data.startswith(b"GIF"):
        return None
    if data.startswith(b"RIFF"):
        raise ValueError("this toy reads no WebP")
    return bytes(sum(data[place::WIDTH]) % 256 for place in range(WIDTH))


def distance(one, other):
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
'''


def install(directory: Path, source: str = TOY, name: str = "photodna", value: str = "toy_hasher") -> Path:
    """Lay a package with one entry point of the group into `directory`, and return the directory."""
    (directory / "toy_hasher.py").write_text(source)
    about = directory / f"toy_{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-{name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[vangnet.hashers]\n{name} = {value}\n")
    return directory
