"""The data set as mining reads it: the annotations, and what people decided."""

from dataclasses import replace
from pathlib import Path

from hydra.utils import instantiate

from tagger.data.catalog import CatalogStore
from tagger.data.catalog.prepared import Prepared
from tagger.data.datamodule import PhotoData
from tagger.data.replication import Replication
from tagger.mining.opened import Mining


def as_said(mining: Mining) -> PhotoData:
    """Return the data set with its annotations alone: what the label system has filled in would confirm itself."""
    folder = Path("catalogs") / str(mining.name)
    # Partial: Hydra would turn a dataclass among the arguments into a config. Nothing is drawn and nothing trained.
    build = instantiate(mining.config.data, _partial_=True)
    data: PhotoData = build(cache=mining.cache, seed=0, sampler=Replication())
    if isinstance(data.source, Prepared):
        data.source = replace(data.source, complete=False)
    elif data.prepared is None and CatalogStore(folder).exists:
        mining.say(f"read from {folder}, with what people decided")
        data.prepared = str(folder)
    return data
