"""Keep what libraries say about themselves out of the terminal; warnings and errors of any kind stay."""

import logging
import os
import warnings


def quieten() -> None:
    """Silence advertisements and notes that a user can do nothing about."""
    # MLflow sets its own level when it is imported.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    # A bar for every file that it copies.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # It is told that the experiment is new, as a warning.
    logging.getLogger("pytorch_lightning.loggers.mlflow").setLevel(logging.ERROR)
    rank_zero = ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero")
    for name in ("pytorch_lightning", *rank_zero, "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A failing database, with a traceback; it raises that, too, and who catches it tells it in one sentence.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    # The features lie in memory: workers would only copy them.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # A frozen backbone is in evaluation mode on purpose.
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
    # Lightning 2.6 asks torch 2.14 for what its name was before.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.. is deprecated.*")
    # Small data sets have few batches an epoch.
    warnings.filterwarnings(
        "ignore", message=".*The number of training batches .* is smaller than the logging interval.*"
    )
    # We resume from our own checkpoint folder.
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
