"""What clients in TypeScript are made with: packages of Node, as package-lock.json pins them, fetched once."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from trading.compiled import data_directory

TYPESCRIPT = Path(__file__).with_name("typescript")
_OF_NODE = ("package.json", "package-lock.json")


def node_modules() -> Path:
    """Return a folder with the packages, which is made where it is not there yet."""
    wanted = hashlib.sha256(b"".join((TYPESCRIPT / name).read_bytes() for name in _OF_NODE)).hexdigest()[:12]
    folder = data_directory() / f"node-{wanted}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        for name in _OF_NODE:
            shutil.copy(TYPESCRIPT / name, made)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=made, check=True)
        try:
            Path(made).rename(folder)
        except OSError:  # somebody else was faster
            assert folder.exists()
        Path(made).mkdir(exist_ok=True)
    return folder
