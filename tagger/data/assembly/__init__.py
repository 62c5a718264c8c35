"""Several sources become one catalog: gather what each says, recognise photos, map names, deal folds."""

from tagger.data.assembly.assemble import Assembly, SourceReport, assemble

__all__ = ["Assembly", "SourceReport", "assemble"]
