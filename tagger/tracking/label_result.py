"""What a run found out about one label: a row of ``labels.csv`` and of the report."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class LabelResult:
    """One label after training: how much there was to learn from, how well it went, what the contract says.

    ``None`` stands where there is no answer, for instance AP of a label without test photos.
    """

    id: str
    """Stable ASCII id, for instance ``scene.forest``."""
    names: dict[str, str]
    """Display name per language, for instance ``{"en": "forest", "zh": "森林"}``."""
    train_count: int
    """Training photos that carry the label."""
    ap: float | None
    """Average precision on the test fold, 0..1."""
    threshold: float
    """Score from which the label is given, fitted on validation, 0..1; 2 if it is never given."""
    precision: float | None
    """Precision on the test fold at the threshold; None if nothing is tagged."""
    recall: float | None
    """Recall on the test fold at the threshold; None if no test photo carries the label."""
    lower_bound: float | None
    """One-sided 95 % Wilson lower bound of the validation precision at the threshold."""
    support: int
    """Test photos that carry the label."""
    verdict: str
    """What may be promised, decided on the validation fold: see ``tagger.tags.thresholds.Verdict``."""
    fallback: str
    """What applies where the verdict is ``unreachable`` (``best_f1`` or ``silence``), else empty."""
    val_precision: float | None
    val_recall: float | None
    val_support: int
    train_absent: int | None = None
    """Training photos on which the label is known to be absent."""
    train_unknown: int | None = None
    """Training photos of which nobody annotated whether they carry it; each weighs what ``data.unknown`` says."""

    @classmethod
    def columns(cls) -> list[str]:
        """Return the field names in order."""
        return [field.name for field in fields(cls)]
