"""The best epoch, and what is settled about it on validation."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging

from tagger.data.datamodule import PhotoData
from tagger.model.module import TaggerModule
from tagger.tags.detector.fusion_callback import FusionCallback
from tagger.tags.relations.audit_callback import AuditCallback
from tagger.tracking.run_folder import RunFolder
from tagger.training.checkpoints import write_checkpoint


def finalise(  # noqa: PLR0917 - all of it is needed
    trainer: pl.Trainer,
    module: TaggerModule,
    data: PhotoData,
    run: RunFolder,
    fusion: FusionCallback,
    audit: AuditCallback,
) -> float:
    """Load the best epoch's weights and settle fusion, rules and thresholds on validation; nothing sees the test fold.

    Returns:
        The validation mAP.
    """
    # An averaging callback would swap its own weights in again.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    callbacks[:] = [callback for callback in callbacks if not isinstance(callback, WeightAveraging)]
    trainer.strategy.barrier()
    best = torch.load(run.checkpoints / "best.ckpt", map_location=module.device, weights_only=True)
    module.load_state_dict(best["state_dict"])
    trainer.validate(module, data, verbose=False)
    # The single network's were kept with its best epoch; those of merged experts are new.
    is_fitted = bool((module.thresholds.cpu() != best["state_dict"]["thresholds"].cpu()).any())
    if is_fused := fusion.fuse(module):
        # The relations are judged by the scores that they are applied to.
        audit.again()
        trainer.validate(module, data, verbose=False)
    if is_pruned := audit.switch_off(module):
        # The thresholds belong to the scores of the rules that are left.
        trainer.validate(module, data, verbose=False)
    if (is_fitted or is_fused or is_pruned) and trainer.is_global_zero:
        if is_fused:
            fusion.keep_model(run.path)
        module.on_save_checkpoint(best)
        write_checkpoint(best, run.checkpoints / "best.ckpt")
    return trainer.callback_metrics["val/map"].item()
