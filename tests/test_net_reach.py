"""What may be reached when strangers name it: public addresses on the web's ports, and what the operator allows."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from agentic.catalog.settings import read_settings
from agentic.errors import ConfigurationError
from agentic.net.reach import Reach, host_of, parse_entry

NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254
169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::7f00:1
64:ff9b::8.8.8.8 64:ff9b:1::a00:1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1::1
2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1
""".split()
PUBLIC = (
    "1.1.1.1 8.8.8.8 93.184.216.34 172.32.0.1 100.128.0.1 ::ffff:8.8.8.8 2606:2800:220:1:248:1893:25c8:1946".split()
)
OTHER_FORMS = """
2130706433 017700000001 0x7f000001 0x7f.0.0.1 0177.0.0.1 127.1 127.0.1 1.0x 0x 10.0x1 127.0.0.1.1 256.1.1.1 08.8.8.8
fe80::1%eth0 ::1%lo %31%32%37.0.0.1 localhost%00.example.org 127.0.0.1:80 user@host exa$mple.org -a.org a..b .a
""".split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not Reach().admits(ip_address(address), 443)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_admitted_on_the_ports_of_the_web(address: str) -> None:
    admitted = [
        port for port in (22, 25, 80, 110, 443, 445, 993, 8080, 8443) if Reach().admits(ip_address(address), port)
    ]
    assert admitted == [80, 443, 8080, 8443]


@pytest.mark.parametrize("host", OTHER_FORMS)
def test_host_that_systems_read_differently_is_neither_name_nor_address(host: str) -> None:
    assert host_of(host) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("a_b.example", "a_b.example"),
        ("1e100.net", "1e100.net"),
    ],
)
def test_name_is_a_name(host: str, name: str) -> None:
    assert host_of(host) == name


@pytest.mark.parametrize("name", ["metadata", "metadata.google.internal", "metadata.goog", "instance-data"])
def test_name_of_a_metadata_service_is_not_looked_up_unless_it_is_allowed_itself(name: str) -> None:
    assert not Reach().admits_name(name)
    assert not Reach(["169.254.0.0/16"]).admits_name(name)
    assert Reach([name]).admits_name(name)


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3/8", "10.9.9.9"),
        ("10.1.2.3", "::ffff:10.1.2.3"),
        ("::ffff:10.0.0.0/104", "10.1.2.3"),
        ("fd00::/8", "fd00::1"),
        ("[::1]", "::1"),
    ],
)
def test_allowed_network_is_admitted_on_any_port(allowed: str, address: str) -> None:
    assert Reach([allowed]).admits(ip_address(address), 22)
    assert not Reach([allowed]).admits(ip_address("192.168.0.1"), 80)


def test_allowed_name_is_trusted_and_no_other() -> None:
    reach = Reach(["Wiki.Example.org.", "bücher.example"])
    assert reach.trusts("wiki.example.org")
    assert reach.trusts("xn--bcher-kva.example")
    assert not reach.trusts("example.org") and not reach.trusts("evil.wiki.example.org")


@pytest.mark.parametrize(
    "entry", ["http://intranet", "10.0.0.0/40", "a b", "*.example.org", "2130706433", "host:80", ""]
)
def test_entry_that_is_no_host_nor_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="no host name, address or network"):
        parse_entry(entry)


def test_wrong_setting_stops_the_start_with_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FETCH_ALLOW", "wiki.example.org,http://intranet")
    with pytest.raises(ConfigurationError, match=r"FETCH_ALLOW[\s\S]*10\.1\.0\.0/16"):
        read_settings()
    monkeypatch.setenv("FETCH_ALLOW", "wiki.example.org, 10.1.0.0/16")
    assert read_settings().fetch_allow == ["wiki.example.org", "10.1.0.0/16"]
