"""Losses of one logit per label, each in a file of its own with its paper.

All take logits, targets 0 or 1 and weights of at least 0, each (batch, labels), and return the plain mean of the
weighted terms over every element, those of weight 0 included. So the scale of a term does not depend on what else is
known in the batch (a weighted mean would make the few known labels of a sparse photo louder), values compare across
label systems, and cross-entropy is PyTorch's. The price: with SGD a label's step is divided by the number of labels.

All compute in float32 at least, whatever the autocast: in float16 the asymmetric loss is NaN.

Some must know how often each label occurs on the training photos: those are configured as a `NeedsCounts`, which
becomes a loss once the photos are counted. What was counted is in no checkpoint: a network is loaded without its loss.
"""

from tagger.model.losses.asymmetric import AsymmetricLoss, asymmetric_loss
from tagger.model.losses.class_balanced import ClassBalanced, effective_number
from tagger.model.losses.counted import NeedsCounts
from tagger.model.losses.cross_entropy import BinaryCrossEntropy, binary_cross_entropy
from tagger.model.losses.distillation import Distillation, distillation_loss
from tagger.model.losses.distribution_balanced import (
    DistributionBalanced,
    DistributionBalancedLoss,
    distribution_balanced_loss,
)
from tagger.model.losses.focal import FocalLoss, focal_loss
from tagger.model.losses.weighed import ByReplication, ByState, WeighedLoss

__all__ = [
    "AsymmetricLoss",
    "BinaryCrossEntropy",
    "ByReplication",
    "ByState",
    "ClassBalanced",
    "Distillation",
    "DistributionBalanced",
    "DistributionBalancedLoss",
    "FocalLoss",
    "NeedsCounts",
    "WeighedLoss",
    "asymmetric_loss",
    "binary_cross_entropy",
    "distillation_loss",
    "distribution_balanced_loss",
    "effective_number",
    "focal_loss",
]
