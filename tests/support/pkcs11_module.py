"""Shared libraries made for a test: a PKCS#11 module that answers, and several that do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

MODULE = r"""
#include <stdlib.h>
#include <string.h>
typedef unsigned long (*function)(void *);
struct info {
    unsigned char cryptoki[2], manufacturer[32];
    unsigned long flags;
    unsigned char description[32], library[2];
};
static unsigned long initialize(void *arguments) { AT_INITIALIZE; return 0; }
static unsigned long finalize(void *reserved) { return 0; }
static unsigned long get_info(void *where)
{
    struct info info = { {2, 40}, "TEST", 0, "test module", {MAJOR, MINOR} };
    memcpy(where, &info, sizeof info);
    return 0;
}
static unsigned long get_slots(unsigned char present, unsigned long *slots, unsigned long *count)
{
    *count = 0;
    return 0;
}
static unsigned long unsupported(void *anything) { return 0x54; }
static struct { unsigned char version[2]; function list[68]; } functions = {
    {2, 40}, {initialize, finalize, get_info, unsupported, (function) get_slots,
              [5 ... 67] = unsupported}
};
unsigned long ENTRY(void **list) { *list = &functions; return 0; }
"""


def build(
    path: Path,
    *,
    version: tuple[int, int] = (1, 2),
    entry: str = "C_GetFunctionList",
    at_initialize: str = "(void)0",
    link: tuple[str, ...] = (),
) -> Path:
    """Compile the module to `path`; `link` are further arguments of the linker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    defines = {
        "MAJOR": version[0],
        "MINOR": version[1],
        "ENTRY": entry,
        "AT_INITIALIZE": at_initialize,
    }
    subprocess.run(
        [
            *("gcc", "-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", str(path)),
            *(f"-D{name}={value}" for name, value in defines.items()),
            *link,
        ],
        input=MODULE,
        text=True,
        check=True,
        capture_output=True,
    )
    return path
