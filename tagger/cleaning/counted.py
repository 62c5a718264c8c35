"""Numbers of things, for people."""


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    Example:
        >>> counted(1, "row"), counted(1200, "row")
        ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
