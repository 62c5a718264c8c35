"""Text from outside (label names, file names, reasons) made visible before it is shown.

Escaping for HTML is the template's work. What is left are characters that show as nothing, break a line, turn the
reading direction or move a terminal's cursor, and the lone surrogates of file names that are not UTF-8, which no
encoder accepts.
"""


def visible(text: str) -> str:
    r"""Return the text on one line, with every unprintable character written as its Python escape.

    Example:
        >>> visible("森林 <b>")
        '森林 <b>'
        >>> print(visible("two\nlines \x1b[31m \udcff"))
        two\nlines \x1b[31m \udcff
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
