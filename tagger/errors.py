"""Mistakes that the user can mend: shown as one message that says how, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """The message names the thing, the value, the place and the way out."""


@contextmanager
def shown_plainly() -> Iterator[None]:
    """End the command with the message of a UserError alone; in a multirun the sweep decides what a failed job is."""
    # Not above: the runtime of a bundle raises UserErrors without Hydra.
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import InstantiationException
    from hydra.types import RunMode

    try:
        yield
    except (UserError, InstantiationException) as error:
        # Hydra wraps what a constructor raises.
        cause = error if isinstance(error, UserError) else error.__cause__
        in_multirun = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
        if not isinstance(cause, UserError) or in_multirun:
            raise
        print(f"error: {cause}", file=sys.stderr)
        raise SystemExit(1) from None
