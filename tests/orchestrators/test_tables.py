"""The kernel's tables: ports, routes, cgroups, network totals."""

from ipaddress import IPv4Network

import pytest

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.networks import choose_subnet, route_subnets
from towline.orchestrators.docker.ports import listening_ports
from towline.orchestrators.docker.usage import Counters, cgroup_paths, network_totals, usage_between

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0B00007F:8A5B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3
   3: 0200640A:0050 0100640A:C350 01 00000000:00000000 00:00000000 00000000     0        0 4
   4: 0200640A:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 0 0
   1: 00000000000000000000000001000000:0BB9 00000000000000000000000000000000:0000 0A 0 0
   2: 0000000000000000FFFF00000100007F:0BBA 00000000000000000000000000000000:0000 0A 0 0
"""
ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


def test_ports_that_can_be_reached_from_outside_are_listed() -> None:
    assert list(listening_ports(TCP)) == [8080, 81]
    assert list(listening_ports(TCP6)) == [3000]


def test_routes_of_the_host_are_read_without_the_default_route() -> None:
    assert route_subnets(ROUTES) == [IPv4Network("172.17.0.0/16"), IPv4Network("192.0.2.0/24")]


def test_the_first_free_subnet_is_chosen() -> None:
    taken = [IPv4Network("10.0.0.0/23"), IPv4Network("10.0.2.0/27"), IPv4Network("10.0.6.0/23")]
    for name in ("one", "two", "three"):
        assert choose_subnet("10.0.0.0/21", name=name, taken=taken) == IPv4Network("10.0.4.0/23")


def test_the_same_name_leads_to_the_same_subnet() -> None:
    chosen = {choose_subnet("10.0.0.0/16", name="one", taken=[]) for _ in range(3)}
    assert len(chosen) == 1


def test_a_full_pool_is_said_with_the_setting_that_helps() -> None:
    with pytest.raises(OrchestratorUnavailable) as full:
        choose_subnet("10.0.0.0/24", name="one", taken=[IPv4Network("10.0.0.0/8")])
    assert "TOWLINE_NETWORK_POOL" in full.value.hint


def test_cgroups_of_both_versions_are_read() -> None:
    assert cgroup_paths("5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n")["cpuacct"] == "docker/x"
    assert cgroup_paths("0::/system.slice/docker-x.scope\n") == {"": "system.slice/docker-x.scope"}


def test_network_totals_leave_loopback_out() -> None:
    table = "h\nh\n    lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n  eth0:1234 1 0 0 0 0 0 0 99 1 0 0 0 0 0 0\n"
    assert network_totals(table) == (1234, 99)


def test_cpu_is_a_share_of_one_core_and_never_negative() -> None:
    before, after = Counters(10, 1.0, 5, 9, 1, 2), Counters(12, 2.0, 6, 9, 3, 4)
    assert usage_between(before, after).cpu == pytest.approx(0.5)
    assert usage_between(after, Counters(13, 0.1, 6, 9, 3, 4)).cpu == 0
