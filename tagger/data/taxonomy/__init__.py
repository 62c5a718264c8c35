"""The label system: which labels there are, how they relate, and what every source calls them."""

from tagger.data.taxonomy.division import OTHER, divide
from tagger.data.taxonomy.file import FOLDER, parse_taxonomy, read_taxonomy
from tagger.data.taxonomy.label_system import Label, Taxonomy, TaxonomyError
from tagger.data.taxonomy.matching import Match, match
from tagger.data.taxonomy.names import Names

__all__ = [
    "FOLDER",
    "OTHER",
    "Label",
    "Match",
    "Names",
    "Taxonomy",
    "TaxonomyError",
    "divide",
    "match",
    "parse_taxonomy",
    "read_taxonomy",
]
