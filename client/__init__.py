import sys

# httpx brings its own command line along, with click, pygments and a part of rich: 3 MB and 30 ms
# in every session. None is Python's own mark for a module that is not to be had.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
