"""Write a new label into the text of a label system; all that was there stays as it was, comments too."""

import re

import yaml

from tagger.data.taxonomy.label_system import Label
from tagger.data.taxonomy.writing import as_word
from tagger.pages.visible import visible


def with_label(text: str, label: Label, *, remark: str = "") -> str:
    r"""Return the text of a label system with one more label, the last one.

    Args:
        text: As `read_taxonomy` reads it.
        label: Its id, names, parents and definition are written.
        remark: A comment above it.

    Example:
        >>> text = "labels:\n  - tree  # of any kind\n"
        >>> print(with_label(text, Label("wood", {"en": "wood"}, parents=("tree",)), remark="seen in July"))
        labels:
          - tree  # of any kind
          # seen in July
          - id: wood
            names: {en: wood}
            parents: [tree]
        <BLANKLINE>
    """
    # Not libyaml: its marks count otherwise where characters are long.
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    (labels,) = (value for key, value in root.value if key.value == "labels")
    if isinstance(labels, yaml.ScalarNode):
        # Nothing is listed yet.
        place, indent = _end_of_line(text, labels), "  "
    elif labels.flow_style:
        place = labels.end_mark.index - 1
        behind = text[labels.value[-1].end_mark.index : place] if labels.value else ","
        has_comma = "," in re.sub(r"#.*", "", behind)
        return text[:place] + f"{'' if has_comma else ', '}{{{', '.join(_keys(label))}}}" + text[place:]
    else:
        place, indent = _end_of_line(text, _last(labels)), " " * labels.start_mark.column
    lines = [f"# {visible(remark)}"] if remark else []
    lines += [f"{'  ' if number else '- '}{key}" for number, key in enumerate(_keys(label))]
    return text[:place] + "".join(f"\n{indent}{line}" for line in lines) + text[place:]


def _keys(label: Label) -> list[str]:
    names = ", ".join(f"{as_word(language)}: {as_word(name)}" for language, name in label.names.items())
    keys = [f"id: {as_word(label.id)}", f"names: {{{names}}}"]
    if label.parents:
        keys.append(f"parents: [{', '.join(map(as_word, label.parents))}]")
    if label.definition:
        keys.append(f"definition: {as_word(label.definition)}")
    return keys


def _last(node: yaml.Node) -> yaml.Node:
    """Return the last node in a node that ends where its text ends: a block ends where the next thing begins."""
    while not isinstance(node, yaml.ScalarNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def _end_of_line(text: str, node: yaml.Node) -> int:
    """Return where the line ends on which a node ends."""
    # What is written as a block of lines ends behind its last one.
    end = text.find("\n", len(text[: node.end_mark.index].rstrip("\n")))
    return len(text) if end < 0 else end
