"""The report for support: the doctor's findings, what happened in this run, and the settings.

It is safe by construction: its text is made of message ids, stable codes, enumerations, numbers,
versions, reader names as PC/SC lists them and the service's address. Every text fact is held to
the narrow alphabet of its kind, and what does not fit is left out; nothing that a person typed,
a card said or a service sent has a way in.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from screens.findings import Finding, ServiceChoice, lines, verdict
from screens.language import Language, Words
from tui.errors import FileUnusable

if TYPE_CHECKING:
    from screens.wizard import Fact
    from tui.event_log import Event

# The text facts that may stand in a report, each in its own alphabet.
ALPHABETS = {
    "host": r"[a-z0-9-]+(\.[a-z0-9-]+)*|[0-9a-f:]+",
    "origin": r"https://[a-z0-9.:\[\]-]+",
    "library": r"[A-Za-z0-9._:-]{1,30}",
    "daemon": r"[0-9]{1,5}:[0-9]{1,5}",
    "theirs": r"[0-9]{1,5}:[0-9]{1,5}",
    "ours": r"[0-9]{1,5}:[0-9]{1,5}|\?",
    "encoding": r"[A-Z0-9_-]{0,20}",
    "version": r"[0-9.]{1,20}",
    "kind": r"[A-Za-z]{1,40}",
}


def report_text(
    findings: Iterable[Finding],
    events: Iterable[Event],
    choice: ServiceChoice | None,
    support_code: str | None,
    words: Words,
    *,
    now: datetime,
) -> str:
    """One text file's content. `choice` is None where the settings cannot be read."""
    from screens.troubleshooting.situation import version

    _ = words
    seen = [_safe(finding) for finding in findings]
    happened = [str(event) for event in events]
    parts = [
        f"hca-bind {'.'.join(map(str, version()))}  {now:%Y-%m-%d %H:%M:%S %z}",
        f"{platform.system()} {platform.release()}  Python {platform.python_version()}",
        *([_("Support code: {code}", code=support_code)] if support_code else []),
        "",
        _heading(_("What the doctor found")),
        *lines(seen, _),
        verdict(seen, _),
        "",
        _heading(_("What happened, in seconds since the start")),
        *(happened or [_("Nothing yet.")]),
        "",
        _heading(_("Settings")),
        *_settings_lines(choice, _),
    ]
    return "\n".join(parts) + "\n"


def _heading(text: str) -> str:
    return f"== {text} =="


def save(text: str, path: Path) -> Path:
    """Write a new file that its owner alone can read. Raises FileUnusable, also where it exists."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise FileUnusable(str(path)) from error
    return path


def default_path(now: datetime) -> Path:
    """A name of its own in the home directory, where a person finds it."""
    return Path.home() / f"hca-bind-report-{now:%Y%m%d-%H%M%S}.txt"


def _settings_lines(choice: ServiceChoice | None, words: Words) -> list[str]:
    from client.address import parse_address
    from client.errors import AddressInvalid

    _ = words
    origin = _("unknown")
    if choice is not None:
        try:
            origin = parse_address(choice.address).origin if choice.address else _("not set")
        except AddressInvalid:
            origin = _("not a valid address")
    own = choice is not None and choice.own_ca
    language = "English" if words.language is Language.EN else "中文"
    return [
        _("Service: {origin}", origin=origin),
        _("Trust: {trust}", trust=_("its own CA file") if own else _("the system's CAs")),
        _("Language: {language}", language=language),
    ]


def _safe(finding: Finding) -> Finding:
    return replace(finding, facts=_safe_facts(finding.facts), values=_safe_values(finding.values))


def _safe_facts(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Numbers, and texts of a known kind in their alphabet."""
    return {
        name: fact
        for name, fact in facts.items()
        if isinstance(fact, int)
        or (isinstance(fact, str) and name in ALPHABETS and re.fullmatch(ALPHABETS[name], fact))
    }


def _safe_values(values: Mapping[str, Fact]) -> dict[str, Fact]:
    """The same, with `?` in place of what is left out, because the sentence needs something."""
    return {**dict.fromkeys(values, "?"), **_safe_facts(values)}
