"""The label system: which labels there are, how they relate, and what every source calls them."""

from tagger.data.taxonomy.division import OTHER, divide
from tagger.data.taxonomy.file import FOLDER, read_taxonomy
from tagger.data.taxonomy.label_system import Label, Taxonomy, TaxonomyError

__all__ = ["FOLDER", "OTHER", "Label", "Taxonomy", "TaxonomyError", "divide", "read_taxonomy"]
