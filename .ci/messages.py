"""Brings each translation catalogue up to date with the sources and compiles it.

New messages come in untranslated (never guessed from similar ones), those that the sources no
longer have go, and the catalogue's own header stays as it is, without the dates and addresses
that gettext tools like to invent.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
SPEAKING = ("screens", "tui")  # the packages that say something to people


def template() -> Catalog:
    """Every message marked with _() or N_() in the sources, with the files it stands in."""
    catalogue = Catalog(charset="utf-8")
    for package in SPEAKING:
        for file, _, message, comments, context in extract_from_dir(ROOT / package):
            where = [(f"{package}/{file}", None)]
            catalogue.add(message, locations=where, auto_comments=comments, context=context)
    return catalogue


def update(po: Path) -> None:
    header = po.read_bytes().partition(b"\n\n")[0].rstrip()
    catalogue = read_po(BytesIO(po.read_bytes()))
    catalogue.update(template(), no_fuzzy_matching=True)
    body = BytesIO()
    write_po(
        body,
        catalogue,
        width=100,
        omit_header=True,
        sort_by_file=True,
        ignore_obsolete=True,
        include_lineno=False,
    )
    po.write_bytes(header + b"\n\n" + body.getvalue().lstrip())
    with po.open("rb") as source, po.with_suffix(".mo").open("wb") as target:
        write_mo(target, read_po(source))
    missing = [str(message.id) for message in catalogue if message.id and not message.string]
    print(f"{po.relative_to(ROOT)}: {len(catalogue)} messages, {len(missing)} not translated")
    print("".join(f"  {message!r}\n" for message in missing), end="")


for each in (ROOT / "screens" / "locale").glob("*/LC_MESSAGES/*.po"):
    update(each)
