"""The bounded contexts, one package each.

Importing this package appends the `platform/` source root to `sys.path`. It is appended, never prepended, and
`platform/` has no `__init__.py`, so `import platform` keeps finding the standard library's module.
"""

import sys
from pathlib import Path

_SOURCE_ROOT = str(Path(__file__).resolve().parent.parent / "platform")

if _SOURCE_ROOT not in sys.path:
    sys.path.append(_SOURCE_ROOT)
