"""Tables from a file that somebody wrote by hand, or that came from elsewhere."""

from __future__ import annotations

NUMBER = (int, float)
MOST_LETTERS = 200


def checked(table: dict, kinds: dict, needed: tuple[str, ...], what: str) -> dict:
    """Return a table whose keys are all known and of their kinds; raise ValueError where it is another.

    `kinds` maps each key that there may be to the types of its value. True and False are no numbers.

    >>> checked({"bits": "three"}, {"bits": int}, (), "a run")
    Traceback (most recent call last):
    ValueError: a run has bits = 'three', which is not of the right kind
    """
    if not isinstance(table, dict):
        raise ValueError(f"{what} is {table!r:.60}, but must be a table with {', '.join(kinds)}")
    for name in needed:
        if name not in table:
            raise ValueError(f"{what} lacks {name}: it may have {', '.join(kinds)}")
    for name, value in table.items():
        if name not in kinds:
            raise ValueError(f"{what} has the unknown key {name!r:.60}: it may have {', '.join(kinds)}")
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and kinds[name] is not bool):
            raise ValueError(f"{what} has {name} = {value!r:.60}, which is not of the right kind")
        if isinstance(value, str) and len(value) > MOST_LETTERS:
            raise ValueError(f"{what} has a {name} of {len(value)} letters, but {MOST_LETTERS} are the most")
    return table
