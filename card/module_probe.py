"""Loads a library in a process of its own, so that a bad one takes nothing else along.

Run as a script: `python module_probe.py PATH library|driver|module`; prints one line of JSON. A
PKCS#11 module is asked for its version (C_GetInfo, PKCS#11 v2.40 §5.4); it gets no card's PIN.
"""

import ctypes
import json
import re
import sys

MARK = "hca-bind-probe "
CKR_OK = 0
# "libfoo.so.1: cannot open shared object file: …", as glibc and musl say it
DEPENDENCY = re.compile(r"^(?:Error loading shared library )?([^\s:]+): (?:cannot open|No such)")
SYMBOL = re.compile("undefined symbol|symbol not found")


class Info(ctypes.Structure):
    """CK_INFO, with room for a module that writes more than it should."""

    if sys.platform == "win32":
        _pack_ = 1
    _fields_ = (
        ("cryptoki_version", ctypes.c_ubyte * 2),
        ("manufacturer", ctypes.c_char * 32),
        ("flags", ctypes.c_ulong),
        ("description", ctypes.c_char * 32),
        ("library_version", ctypes.c_ubyte * 2),
        ("spare", ctypes.c_ubyte * 128),
    )


def probe(path: str, kind: str) -> dict[str, object]:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        missing = DEPENDENCY.match(str(error))
        name = missing[1] if missing and missing[1] != path else ""
        if name or getattr(error, "winerror", 0) == 126:
            return {"why": "dependency", "library": name}
        # a reader driver takes some symbols from pcscd itself
        return {} if kind == "driver" and SYMBOL.search(str(error)) else {"why": "damaged"}
    if kind != "module":
        return {}
    pointer = ctypes.c_void_p()
    try:
        if library.C_GetFunctionList(ctypes.byref(pointer)) != CKR_OK or not pointer.value:
            return {"why": "damaged"}
    except AttributeError:
        return {"why": "damaged"}
    # CK_FUNCTION_LIST: CK_VERSION, then the functions; packed on Windows, aligned elsewhere
    word = ctypes.sizeof(ctypes.c_void_p)
    first = pointer.value + (2 if sys.platform == "win32" else word)
    c_initialize, c_finalize, c_get_info = (
        ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)(
            ctypes.c_void_p.from_address(first + index * word).value or 0
        )
        for index in range(3)
    )
    if c_initialize(None) != CKR_OK:
        return {"why": "damaged"}
    info = Info()
    version = ""
    if c_get_info(ctypes.addressof(info)) == CKR_OK:
        version = f"{info.library_version[0]}.{info.library_version[1]}"
    c_finalize(None)
    return {"version": version}


if __name__ == "__main__":
    print("\n" + MARK + json.dumps(probe(*sys.argv[1:])), flush=True)  # noqa: T201
