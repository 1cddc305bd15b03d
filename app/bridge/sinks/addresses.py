"""Which addresses a webhook may reach: public ones, and hosts that are allowed by their name.

Whoever may write a URL into the configuration must not reach what only this machine can: its own
services, the router, a cloud's metadata. A name is resolved once, and what is connected to is the
address that was checked: a name whose answer changes in between gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from .sink import Retry

_UNICAST = IPv6Network("2000::/3")
# IPv4 inside IPv6: mapped and NAT64; what is left of those is judged as IPv4.
_MAPPED, _NAT64 = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")
# Teredo and its kin, documentation, 6to4: no host of a webhook needs them, and some hide IPv4.
_NEVER = tuple(IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NEVER_4 = IPv4Address("192.88.99.0"), IPv4Address("192.88.99.255")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it leads to a single host in the internet, and nowhere near this machine."""
    if isinstance(address, IPv4Address):
        first, last = _NEVER_4
        return address.is_global and not address.is_multicast and not first <= address <= last
    if address in _MAPPED or address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.scope_id is not None or address not in _UNICAST:
        return False
    return address.is_global and not any(address in net for net in _NEVER)


async def addresses(host: str, port: int, allowed: Collection[str]) -> list[str]:
    """The addresses of a host that may be connected to, in the system's order; one at least.

    Args:
        host: a name, or an address as a URL has it. allowed: hosts, in small letters, whose
            addresses may be private.

    Raises:
        Retry: the name is not known now, or leads to no address that may be reached.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is no host's name"
        raise Retry(f"{host} is not found: {why}", reached=False) from exc
    every = list(dict.fromkeys(str(info[4][0]) for info in found))
    if host.lower() in allowed:
        return every
    public = [address for address in every if is_public(ip_address(address))]
    if not public:
        raise Retry(
            f"{host} is a private address: add it to allow_hosts if the webhook belongs there",
            reached=False,
        )
    return public
