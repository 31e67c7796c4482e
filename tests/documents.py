"""What the documents show, taken out of them to be run: blocks of Python, and commands as they are typed."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]

_FENCED = r"```{}\n(.*?)```"
_SHELL = re.compile(r"(?m)^ {4}((?:curl|npx|openapi-python-client) .*(?:\n {6}.*)*)$")
_BLOCK = re.compile(r"(?m)^ {4,6}manage\.py (.*)$")
_INLINE = re.compile(r"`manage\.py ([^`]+)`")


def text_of(document: str) -> str:
    """Return the text of a document, named from the project's root."""
    return (ROOT / document).read_text(encoding="utf-8")


def python_blocks(document: str) -> list[str]:
    """Return the document's blocks of Python, in their order."""
    return blocks(document, "python")


def blocks(document: str, language: str) -> list[str]:
    """Return the document's blocks of a language, in their order."""
    return re.findall(_FENCED.format(language), text_of(document), re.DOTALL)


def shell_lines(document: str) -> list[str]:
    """Return what the document's indented blocks have of curl and of programs that make clients, as it is typed."""
    return _SHELL.findall(text_of(document))


def commands(document: str) -> list[str]:
    """Return what follows `manage.py` on each line of the document's indented blocks, without comments."""
    return [shlex.join(shlex.split(line, comments=True)) for line in _BLOCK.findall(text_of(document))]


def mentions(document: str) -> list[str]:
    """Return what follows `manage.py` wherever the document's prose and tables show a command as code."""
    return [" ".join(words.split()) for words in _INLINE.findall(text_of(document))]
