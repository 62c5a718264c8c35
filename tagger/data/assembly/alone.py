"""One source without a catalog: the same facts, and the same refusals, as with one."""

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from tagger.data.assembly.facts import facts
from tagger.data.assembly.gather import Gathered
from tagger.data.assembly.identity import places
from tagger.data.mapping import ORIGINS
from tagger.data.sources.source import Source
from tagger.data.states import UNKNOWN
from tagger.data.taxonomy import Taxonomy


def states_alone(name: str, source: Source, gathered: Gathered, taxonomy: Taxonomy) -> csr_array:
    """Return the states that a source's facts make, int8 (photos, labels) in the order of its photos; opinions do not.

    Args:
        name: What messages call the source.
        source: Its settings.
        gathered: What it says.
        taxonomy: The labels.

    Raises:
        SourceError: If it names what is no label, see `tagger.data.assembly.facts`.
    """
    keys = gathered.photos["key"].combine_chunks()
    photo = places(gathered.annotations["key"].cast(pa.string()), keys)
    claims = facts(name, source, gathered, taxonomy, photo=photo, photos=np.arange(len(keys))).claims
    held = claims.take(np.flatnonzero((claims.origin == ORIGINS.index("source")) & (claims.value != UNKNOWN)))
    states = csr_array((held.value, (held.photo, held.label)), shape=(len(keys), len(taxonomy)))
    states.sort_indices()
    return states
