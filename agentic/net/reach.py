"""Which addresses may be reached when a model, a page or a user names them. Nothing here does I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WEB_PORTS = (80, 443)
_LEAST_FREE_PORT = 1024
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_PUBLIC_V6 = ip_network("2000::/3")
# What ipaddress calls global, or did in some Python from 3.11 on, and what is no place of the public web.
_REFUSED = tuple(
    ip_network(written)
    for written in (
        "100.64.0.0/10",  # carriers' networks; metadata of Alibaba
        "168.63.129.16/32",  # metadata of Azure
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})


class Reach:
    """Public addresses, and what the operator allows beside them: host names, addresses and networks."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for entry in allow:
            found = parse_entry(entry)
            if isinstance(found, str):
                self._hosts.add(found)
            else:
                self._networks.append(found)

    def trusts(self, host: str) -> bool:
        """Whether the operator has allowed the host by its name, wherever that leads."""
        return host in self._hosts

    def admits_name(self, host: str) -> bool:
        """Whether a host may be looked up at all: names of clouds' metadata services may not."""
        return host in self._hosts or host not in _METADATA_NAMES

    def admits(self, address: Address, port: int) -> bool:
        """Whether an address may be connected to on a port."""
        plain = _plain(address)
        if any(plain.version == network.version and plain in network for network in self._networks):
            return True
        return _is_public(plain) and (port in _WEB_PORTS or port >= _LEAST_FREE_PORT)


def host_of(written: str) -> str | Address | None:
    """A URL's host as a name in lower case or an address; None for what is neither.

    Decimal, octal, hexadecimal and short forms of IPv4 addresses are neither: systems read them differently. So is an
    IPv6 address with a zone.
    """
    host = written.lower().removesuffix(".")
    if "%" in host:
        return None
    try:
        return ip_address(host)
    except ValueError:
        is_name = len(host) <= 253 and _HOST.fullmatch(host) and not _NUMBER.fullmatch(host.rpartition(".")[2])
        return host if is_name else None


def parse_entry(entry: str) -> str | Network:
    """An entry of FETCH_ALLOW: a host name, or the network that an address or a CIDR is. Raises ValueError."""
    try:
        network = ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        host = host_of(_ascii(entry))
        if not isinstance(host, str):
            raise ValueError(f"{entry!r} is no host name, address or network in CIDR form") from None
        return host
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def _ascii(name: str) -> str:
    """A host name as it goes over the wire; names in other scripts are IDNA-encoded."""
    if name.isascii():
        return name
    try:
        return name.lower().encode("idna").decode()
    except UnicodeError:
        return ""


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped IPv6 address is: both lead to the same place."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if address.version == 6 and address not in _PUBLIC_V6:
        # Such as NAT64 (64:ff9b::/96) and IPv4-compatible addresses, which hold an IPv4 address of any kind.
        return False
    return not any(address.version == network.version and address in network for network in _REFUSED)
