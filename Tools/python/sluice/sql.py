"""What has to be known of a text of SQL before the engine sees it."""

import functools
import re

_SKIP = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|$)"
    r"|[\w$]+|\?(?P<number>\d*)|.",
    re.DOTALL)
_PARAMETER = re.compile(r"[:@$]\w+")


@functools.lru_cache(maxsize=512)
def first_word(sql):
    """The first word of the first statement, in capitals."""
    match = _WORD.match(sql, _SKIP.match(sql).end())
    return match[0].upper() if match else ""


def changes_rows(sql):
    """Whether a transaction begins before it, and whether it has a rowcount."""
    return first_word(sql) in ("INSERT", "UPDATE", "DELETE", "REPLACE")


@functools.lru_cache(maxsize=512)
def parameter_names(sql):
    """The name of each parameter, in the order of their numbers; None for one that has none."""
    names = []
    at = 0
    while at < len(sql):
        named = _PARAMETER.match(sql, at)
        match = named or _TOKEN.match(sql, at)
        at = match.end()
        if named:
            # SQLite takes :a, @a and $a for three.
            if named[0] not in names:
                names.append(named[0])
        elif match[0].startswith("?"):
            number = int(match["number"]) if match["number"] else len(names) + 1
            names += [None] * (number - len(names))
    return [name and name[1:] for name in names]
