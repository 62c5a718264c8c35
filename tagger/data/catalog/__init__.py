"""The catalog: every fact about every photo, and who says so.

``store`` keeps it on disk and only ever adds to it, ``precedence`` decides which of several statements holds, ``view``
is what training sees.
"""

from tagger.data.catalog.store import CatalogError, CatalogStore, Part
from tagger.data.catalog.view import FOLDS, TEST_FOLD, TRAINING_FOLDS, VALIDATION_FOLD, Catalog

__all__ = ["FOLDS", "TEST_FOLD", "TRAINING_FOLDS", "VALIDATION_FOLD", "Catalog", "CatalogError", "CatalogStore", "Part"]
