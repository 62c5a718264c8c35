"""In which encoding a text file is written, by its first bytes."""

import codecs

MARKS = (
    # Longer ones first: UTF-32 begins like UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)

HEAD = 1024
"""Bytes that are looked at."""


def encoding_of(head: bytes) -> str:
    r"""Return the encoding that a byte-order mark names, UTF-16 if every second byte is zero, else UTF-8.

    Example:
        >>> encoding_of("a;b".encode("utf-16")), encoding_of("a;b".encode("utf-16-be")), encoding_of(b"a;b")
        ('utf-16', 'utf-16-be', 'utf-8-sig')
    """
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    # Without a mark, as some programs write it: of Latin letters one byte of two is zero.
    high, low = head[:HEAD:2].count(0), head[1:HEAD:2].count(0)
    if max(high, low) > len(head[:HEAD]) // 4 and min(high, low) == 0:
        return "utf-16-be" if high else "utf-16-le"
    return "utf-8-sig"
