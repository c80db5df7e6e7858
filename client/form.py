"""One value against one field of the account form, by the rules both sides of the contract keep.

The wizard checks while a person types; the service checks again and has the last word.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import assert_never

from client.port import FieldKind, FormField

PLAIN_PATTERN = re.compile(
    r"""\^?
    (?: (?: [^\\\[\](){}|?*+^$] | \\[dDwWsS.\\/+*?()\[\]{}|^$-] | \[\^?(?:[^\\\[\]]|\\.)+\] )
        (?: [?*+] | \{\d{1,3}(?:,\d{0,3})?\} )? )*
    \$?""",
    re.VERBOSE,
)
VARIABLE = re.compile(r"(?<!\\)(?:[?*+]|\{\d{1,3},\d{0,3}\})")
CLASS = re.compile(r"\[\^?(?:[^\\\[\]]|\\.)+\]")
EMAIL = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
PHONE = re.compile(r"\+?[0-9][0-9 #()-]{5,24}")
MOST_VARIABLE = 4  # variable repeats in one pattern; more could take long on a hostile value


def is_plain(pattern: str) -> bool:
    """True for the contract's subset of ECMA-262: no groups, no alternatives, few open repeats.

    Such a pattern means the same in Python, and no service can hang this program with one.
    """
    if len(pattern) > 200 or not PLAIN_PATTERN.fullmatch(pattern):
        return False
    if len(VARIABLE.findall(CLASS.sub("x", pattern))) > MOST_VARIABLE:
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def accepts(field: FormField, value: str | bytearray) -> bool:
    """Does `value` satisfy the field's kind, length, choices and pattern?

    An empty value is right only where the field is not required. A secret field's bytes (UTF-8)
    are checked as bytes.
    """
    if not value:
        return not field.required
    if isinstance(value, bytearray):
        return len(value) <= 4 * field.max_length and (
            field.pattern is None or bool(re.fullmatch(field.pattern.encode(), value))
        )
    if len(value) > field.max_length or any(unicodedata.category(c)[0] == "C" for c in value):
        return False
    if field.pattern is not None and not re.fullmatch(field.pattern, value, re.ASCII):
        return False
    match field.kind:
        case FieldKind.TEXT | FieldKind.SECRET:
            return bool(value.strip())
        case FieldKind.EMAIL:
            return bool(EMAIL.fullmatch(value))
        case FieldKind.PHONE:
            return bool(PHONE.fullmatch(value))
        case FieldKind.DATE:
            return _is_date(value)
        case FieldKind.CHOICE:
            return any(value == choice.value for choice in field.choices)
        case FieldKind.CONSENT:
            return value == "true"
        case _:
            assert_never(field.kind)


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
