"""What this machine may be called by who asks for the page: another name that points here is another site's."""

import re
from collections.abc import Sequence

from tagger.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")

EVERYONE = ("0.0.0.0", "::")
"""Hosts that are no name of this machine but all its addresses."""

_HOST = re.compile(r"[\w-]+(\.[\w-]+)*|[0-9a-fA-F]*:[0-9a-fA-F:.]+", re.ASCII)


def named(hosts: Sequence[str] | str | None) -> list[str]:
    """Return the names and addresses that the user allows, typed as a list or with commas.

    Raises:
        UserError: If one is neither a name nor an address.

    Example:
        >>> named("nas.local,192.168.1.5")
        ['nas.local', '192.168.1.5']
    """
    names = hosts.split(",") if isinstance(hosts, str) else hosts or ()
    for name in names:
        if not _HOST.fullmatch(str(name)):
            raise UserError(f"hosts must be names or addresses without a port, as in hosts=nas.local; got {name!r}")
    return [str(name) for name in names]


def allowed(host: str, hosts: Sequence[str]) -> list[str]:
    """Return what a Host header may say: the names of this machine, and those that the user allows.

    Example:
        >>> allowed("0.0.0.0", ["nas.local", "fd00::5"])
        ['127.0.0.1', 'localhost', '[::1]', 'nas.local', '[fd00::5]']
    """
    return [bracketed(name) for name in dict.fromkeys((*LOOPBACK, *hosts, *answering(host)))]


def answering(host: str) -> list[str]:
    """Return the host as a name; none if it is all addresses of this machine."""
    return [] if host in EVERYONE else [host]


def bracketed(name: str) -> str:
    """Return a name or address as it stands in a URL."""
    return f"[{name}]" if ":" in name else name
