"""Parses a request's target as Kestrel and ASP.NET do: path, query and escapes."""

import re
from collections.abc import Iterable
from urllib.parse import quote

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# A slash stays escaped in a path, so that it does not separate segments.
_PATH_ESCAPES = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(r"(%[0-9A-Fa-f]{2})")
_PATH_SIGNS = "/:@!$&'()*+,;=~"


def split_target(target: str) -> tuple[str, str]:
    """Return the path, decoded except for `%2F` and with dot segments resolved, and the raw query with its `?`."""
    path, mark, query = target.partition("?")
    return _without_dots(_PATH_ESCAPES.sub(_unescaped, path)), mark + query


def segments(path: str) -> list[str]:
    """Return the segments of a path; the last is empty if the path ends with a slash."""
    return path[1:].split("/") if path != "/" else []


def escaped(path: str) -> str:
    """Return the path as an app sees it in the URL; a sequence that looks like an escape counts as one."""
    parts = _ESCAPE.split(path)
    return "".join(
        part if _ESCAPE.fullmatch(part) else quote(part, safe=_PATH_SIGNS) for part in parts if part
    )


def query_options(query: str) -> dict[str, str]:
    """Return the options of a query with its `?`. Names ignore case, and empty values are dropped.

    The values of a name are joined by commas, and the second spelling of the name is used.
    """
    given: dict[str, list[tuple[str, str]]] = {}
    for option in query[1:].split("&"):
        name, _, value = (_ESCAPES.sub(_unescaped, part) for part in option.replace("+", " ").partition("="))
        given.setdefault(name.lower(), []).append((name, value))
    joined = {pairs[:2][-1][0]: join_values(value for _, value in pairs) for pairs in given.values()}
    return {name: value for name, value in joined.items() if value}


def join_values(values: Iterable[str]) -> str:
    """Join several values of a header or a query option as ASP.NET does: no spaces, empty ones dropped."""
    return ",".join(value for value in values if value)


def _unescaped(run: re.Match[str]) -> str:
    """Decode a run of escapes as UTF-8; invalid ones stay as they are."""
    text, octets = "", bytes.fromhex(run[0].replace("%", ""))
    start = 0
    while start < len(octets):
        try:
            return text + octets[start:].decode()
        except UnicodeDecodeError as bad:
            first, end = start + bad.start, start + bad.end
            text += octets[start:first].decode() + run[0][3 * first : 3 * end]
            start = end
    return text


def _without_dots(path: str) -> str:
    kept: list[str] = []
    given = path.split("/")[1:]
    for position, segment in enumerate(given):
        if segment == "..":
            kept = kept[:-1]
        if segment not in (".", ".."):
            kept.append(segment)
        elif position == len(given) - 1:
            kept.append("")
    return "/" + "/".join(kept)
