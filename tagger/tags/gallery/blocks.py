"""Data inside a page, in ``<script>`` elements that no browser runs.

A page's content security policy does not concern them, they are parsed only when the page's own script asks for them,
and a large one holds up nothing.
"""

import base64
import json
from typing import Any

from markupsafe import Markup

# What could end the element, begin a comment in it, or, in old browsers, a line of JavaScript. JSON reads them back.
_UNSAFE = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def json_block(tree: Any, *, kind: str) -> Markup:
    r"""Return a block of JSON, which may say anything; ``kind`` is the class of its element.

    Example:
        >>> print(json_block({"name": "</script>"}, kind="photo"), end="")
        <script type="application/json" class="photo">{"name":"\u003c/script\u003e"}</script>
    """
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_UNSAFE)
    # Lone surrogates, which UTF-8 does not know, become escapes, which JSON reads back as well.
    text = text.encode("utf-8", errors="backslashreplace").decode()
    return Markup(f'<script type="application/json" class="{kind}">{text}</script>\n')


def picture_block(picture: bytes) -> Markup:
    """Return a block with the bytes of a picture.

    Example:
        >>> print(picture_block(b"webp"), end="")
        <script type="text/plain" class="picture">d2VicA==</script>
    """
    text = base64.b64encode(picture).decode("ascii")
    return Markup(f'<script type="text/plain" class="picture">{text}</script>\n')
