"""OpenSC's module keeps the PIN and sends it again by itself, unless its configuration forbids it.

When the card wants the PIN in the middle of signing (another program reset it, or selected
another application), OpenSC would send a second VERIFY for the one entry. It can be told only by
a configuration file, so the helper gets the one of this system with that one thing changed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "OPENSC_CONF"
MODULE = re.compile(r"(onepin-)?opensc-pkcs11\b", re.IGNORECASE)
_PLACES = {
    "darwin": Path("/Library/OpenSC/etc/opensc.conf"),
    "win32": Path(r"C:\Program Files\OpenSC Project\OpenSC\opensc.conf"),
}
_UNIX = Path("/etc/opensc/opensc.conf")
_CACHING = re.compile(r"\buse_pin_caching\s*=[^;]*;")
_FRAMEWORK = re.compile(r"\bframework\s+pkcs15\s*\{")
_DEFAULT = re.compile(r"\bapp\s+default\s*\{")
_NEVER = "use_pin_caching = false;"


@contextmanager
def environment(module: Path) -> Iterator[Mapping[str, str]]:
    """What the environment of OpenSC's module needs while it loads; empty for other modules."""
    if not MODULE.match(module.name):
        yield {}
        return
    own = Path(os.environ.get(VARIABLE) or _PLACES.get(sys.platform, _UNIX))
    try:
        text = own.read_text("utf-8", errors="replace")
    except OSError:
        text = ""  # OpenSC does without one too
    with tempfile.TemporaryDirectory(prefix="hca-bind-") as folder:
        file = Path(folder) / "opensc.conf"
        file.write_text(without_pin_caching(text), "utf-8")
        yield {VARIABLE: str(file)}


def without_pin_caching(text: str) -> str:
    """The configuration with use_pin_caching off in every place that OpenSC might take it from.

    Of several `framework pkcs15` blocks the first that fits the program counts, so each gets it.
    """
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    text = _CACHING.sub("", text)
    if _FRAMEWORK.search(text):
        return _FRAMEWORK.sub(lambda block: f"{block[0]} {_NEVER}", text)
    own = f"framework pkcs15 {{ {_NEVER} }}"
    if _DEFAULT.search(text):
        return _DEFAULT.sub(lambda block: f"{block[0]} {own}", text, count=1)
    return f"{text}\napp default {{ {own} }}\n"
