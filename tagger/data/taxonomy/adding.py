"""Write a new label into the text of a label system; all that was there stays as it was, comments too."""

import yaml

from tagger.data.taxonomy.label_system import Label
from tagger.data.taxonomy.relating import as_word, end_of_line, value_of
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
    labels = value_of(yaml.compose(text, Loader=yaml.SafeLoader), "labels")
    if labels.flow_style:
        place = labels.end_mark.index - 1
        added = f"{', ' if labels.value else ''}{{{', '.join(_keys(label))}}}"
        return text[:place] + added + text[place:]
    indent = " " * labels.start_mark.column
    lines = [f"# {visible(remark)}"] if remark else []
    lines += [f"{'  ' if number else '- '}{key}" for number, key in enumerate(_keys(label))]
    place = end_of_line(text, _last(labels))
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
