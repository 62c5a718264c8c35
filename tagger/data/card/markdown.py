r"""``card.md``: the facts of the data card without pictures, for a terminal.

What stands in columns on the screen is a table in Markdown too. Names, paths and reasons come from outside: they are
made visible, and what Markdown or HTML would take for markup is escaped by ``\``.
"""

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from tagger.data.card.facts import Facts, disputed_labels
from tagger.data.card.page import tier_of
from tagger.data.catalog import TEST_FOLD, VALIDATION_FOLD
from tagger.data.states import unknown_weight
from tagger.pages.visible import visible

LONG = 100
"""Characters after which an example or a path is cut."""


def card_text(facts: Facts, *, title: str, most: int = 200) -> str:
    """Return the card as Markdown; of long lists the first ``most`` rows."""
    parts = [
        f"# {plain(title)}",
        summary(facts),
        *("## Sources", sources(facts)),
        *("## Long tail", tail(facts)),
        *("## Folds", folds(facts)),
        *("## What comes together", together(facts)),
        *("## Same and alike", alike(facts)),
        *("## Contradictions", contradictions(facts, most=most)),
        *("## Names without a label", names(facts, most=most)),
        *("## Left out", dropped(facts)),
        *("## Labels", labels(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    r"""Return text from outside so that it shows as it is, on one line.

    Example:
        >>> print(plain("a|b <script>\n*c* snake_case"))
        a\|b \<script>\\n\*c\* snake_case
    """
    shown = visible(text)
    return re.sub(r"([\\`*\[\]<|&~])|(?<!\w)_|_(?!\w)", lambda found: "\\" + found[0], shown)


def as_code(text: str) -> str:
    """Return a text as inline code, whatever backticks it holds.

    Example:
        >>> as_code("python -m tagger.train"), as_code("a`b")
        ('`python -m tagger.train`', '``a`b``')
    """
    text = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table whose columns stand under each other; numbers to the right, the last column as long as it is.

    Example:
        >>> print(table(["label", "photos"], [["dog", 1200], ["森林", 7]]))
        | label | photos |
        | ----- | -----: |
        | dog   |  1,200 |
        | 森林  |      7 |
    """
    rows = list(rows)
    number = [
        bool(rows) and all(isinstance(row[column], int | float) for row in rows) for column in range(len(headings))
    ]
    cells = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(3, *(cell_len(row[column]) for row in cells)) for column in range(len(headings))]
    if not number[-1]:
        widths[-1] = cell_len(headings[-1])
    rule = ["-" * (width - 1) + ":" if right else "-" * width for width, right in zip(widths, number, strict=True)]
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(f"| {' | '.join(map(_padded, line, widths, number))} |" for line in lines)


def summary(facts: Facts) -> str:
    """Return what there is, in a few lines."""
    present, photos = facts.counts.present[0], len(facts.photos)
    lines = [
        f"- label system: {plain(facts.taxonomy.name)}, {len(present)} labels, {facts.taxonomy.fingerprint}",
        f"- photos: {photos:,}, without a file {facts.without_file:,}",
        f"- labels with photos: {(present > 0).sum()} of {len(present)}",
        f"- present: {present.sum():,}, parents counted; absent: {facts.counts.absent.sum():,}; the rest is unknown",
        *(f"- as of {batch.when}, batch {batch.number}" for batch in facts.batches[-1:]),
    ]
    return "\n".join(lines)


def sources(facts: Facts) -> str:
    """Return what each source says and, if it was read now, what came of it."""
    statements = table(
        [
            "source",
            "photos",
            "present",
            "absent",
            "unknown",
            "opinions",
            "looked for all",
            "silence weighs",
            "folds",
        ],
        [
            [
                plain(source.name),
                int(photos),
                *(source.statements[kind] for kind in ("present", "absent", "unknown", "opinion")),
                "yes" if source.exhaustive else "no",
                f"{unknown_weight(source.unknown):g}",
                source.folds,
            ]
            for source, photos in zip(facts.sources, facts.by_source.photos, strict=True)
        ],
    )
    reports = [(source.name, source.report) for source in facts.sources if source.report]
    read = table(
        [
            "read this time",
            "photos",
            "new",
            "same bytes",
            "new statements",
            "names without label",
            "left out",
            "dropped",
        ],
        [
            [
                plain(name),
                *(report.photos, report.new, report.same_bytes, report.added),
                *(sum(report.unmapped.values()), sum(report.left_out.values()), report.skipped.counts.total()),
            ]
            for name, report in reports
        ],
    )
    batches = table(
        ["batch", "when", "annotations", "what"],
        [
            [f"{batch.number}{' (undone)' if batch.undone else ''}", batch.when, batch.annotations, plain(batch.what)]
            for batch in reversed(facts.batches)
        ],
    )
    return "\n\n".join([statements, read, batches] if reports else [statements, batches])


def tail(facts: Facts) -> str:
    """Return how many labels have many and few training photos."""
    meaning = {"head": "100 and more", "medium": "20 to 99", "tail": "1 to 19", "none": "none at all"}
    return table(
        ["tier", "training photos", "labels"],
        [[name, meaning[name], count] for name, count in facts.labels_by_tier.items()],
    )


def folds(facts: Facts, *, most: int = 15) -> str:
    """Return the photos of each fold, and the labels that are spread least evenly."""
    balance = facts.balance
    special = {TEST_FOLD: "0 (test)", VALIDATION_FOLD: "1 (validation)"}
    sizes = table(
        ["fold", "photos"], [[special.get(fold, str(fold)), int(photos)] for fold, photos in enumerate(balance.photos)]
    )
    missing = "; ".join(
        f"{count} labels with photos have none in the {name} fold" for name, count in facts.missing_in.items()
    )
    worst = [
        [
            plain(facts.taxonomy.ids[label]),
            *(int(count) for count in (present.sum(), present[TEST_FOLD], present[VALIDATION_FOLD])),
            *(int(present.min()), int(present.max())),
            *(round(100 * float(share), 1) for share in (balance.deviation[label], balance.excess[label])),
        ]
        for label in balance.worst_first[:most]
        for present in [balance.present[:, label]]
    ]
    headings = ["spread least evenly", "photos", "test", "validation", "fewest", "most", "off by % points", "avoidable"]
    return "\n\n".join([sizes, f"{missing}.", *([table(headings, worst)] if worst else [])])


def together(facts: Facts) -> str:
    """Return the pairs of labels with the highest lift."""
    if not facts.pairs:
        return "No two labels come together on 5 photos more often than by chance."
    ids = facts.taxonomy.ids
    rows = [
        [plain(ids[pair.first]), plain(ids[pair.second]), round(pair.lift, 1), pair.together] for pair in facts.pairs
    ]
    meaning = "Lift: how many times as often as by chance in the same sources, over photos on which both are known."
    return f"{meaning}\n\n{table(['label', 'and', 'lift', 'photos'], rows)}"


def alike(facts: Facts) -> str:
    """Return how many photos form groups, and which sources have the same photos."""
    sizes = facts.groups.sizes
    largest = f", the largest of {sizes[0]:,}" if len(sizes) else ""
    lines = [
        f"- groups of photos that are alike: {len(sizes):,}, with {sizes.sum():,} photos{largest}",
        f"- photos in more than one source: {facts.several:,}",
        f"- recognised by their look this time: {len(facts.same_look):,}",
    ]
    shared = [[plain(pair.first), plain(pair.second), pair.photos] for pair in facts.shared]
    return "\n".join(lines) + (f"\n\n{table(['source', 'and', 'photos of both'], shared)}" if shared else "")


def contradictions(facts: Facts, *, most: int) -> str:
    """Return the labels that sources disagree about, and where."""
    if not facts.contradictions:
        return "No two sources contradict each other."
    by_label = table(["label", "contradictions"], [[plain(id_), n] for id_, n in disputed_labels(facts.contradictions)])
    rows = [
        [plain(one.label), plain(", ".join(one.present)), plain(", ".join(one.absent)), cut(facts.file(one.photo))]
        for one in facts.contradictions[:most]
    ]
    each = table(["label", "present", "absent", "photo"], rows)
    return f"{by_label}\n\n{each}{_more(len(facts.contradictions), most)}"


def names(facts: Facts, *, most: int) -> str:
    """Return the names that mean no label."""
    parts = ["Every name that was read has a label or is left out on purpose."]
    if facts.unmapped:
        rows = [[cut(name.name), name.count, plain(name.source), plain(name.note)] for name in facts.unmapped[:most]]
        parts = [table(["no label claims", "times", "source", "looks like"], rows) + _more(len(facts.unmapped), most)]
    if facts.left_out:
        rows = [[cut(name.name), name.count, plain(name.source), plain(name.note)] for name in facts.left_out[:most]]
        parts += [table(["left out on purpose", "times", "source", "reason"], rows) + _more(len(facts.left_out), most)]
    return "\n\n".join(parts)


def dropped(facts: Facts) -> str:
    """Return what was left out for a mistake, with an example."""
    if not facts.dropped:
        return "Nothing was left out for a mistake."
    rows = [
        [plain(drop.reason), drop.count, plain(drop.source), ", ".join(cut(example) for example in drop.examples[:3])]
        for drop in facts.dropped
    ]
    return table(["reason", "times", "source", "for instance"], rows)


def labels(facts: Facts) -> str:
    """Return the photos of every label by state, the commonest label first."""
    counts = facts.counts
    order = sorted(range(len(facts.taxonomy)), key=lambda label: -counts.present[0, label])
    rows = [
        [
            plain(facts.taxonomy.ids[label]),
            plain(" ".join(facts.taxonomy.labels[label].names.values())),
            *(int(count[0, label]) for count in (counts.present, counts.absent, counts.unknown)),
            int(facts.train[label]),
            tier_of(facts, label),
        ]
        for label in order
    ]
    return table(["label", "names", "present", "absent", "unknown", "to train on", "tier"], rows)


def cut(text: str) -> str:
    """Return text from outside, made plain and not too long.

    Example:
        >>> len(cut("a" * 1000))
        100
    """
    return plain(text if len(text) <= LONG else f"{text[: LONG - 1]}…")


def _cell(value: object) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _padded(cell: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space


def _more(there_are: int, most: int) -> str:
    return f"\n\nand {there_are - most:,} more" if there_are > most else ""
