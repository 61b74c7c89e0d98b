# SPDX-License-Identifier: Apache-2.0
"""What the course's figures of links, E76 to E82, have to show. Points of each figure, fewer than are drawn."""
import os

import pytest
import yaml
from test_cli import ROOT, rows, run
from test_cluster import summary_of
from test_collectives import MIB, collective, simulated


def experiment(name):
    with open(os.path.join(ROOT, "configs", "experiments", f"{name}.yaml"), encoding="utf-8") as file:
        return yaml.safe_load(file)


def points(tmp_path, series, sizes):
    """Microseconds of a series of a figure at some of its sizes."""
    asked = [(series["system"], series["op"], f"bytes={size};{series.get('shape', '')}".rstrip(";")) for size in sizes]
    sets = [w for key, value in series.get("set", {}).items() for w in ("--set", f"{key}={value}")]
    return simulated(tmp_path, asked, *sets)


@pytest.fixture(name="drawn", scope="module")
def drawn_figures(tmp_path_factory):
    out = tmp_path_factory.mktemp("figures") / "f"
    run("figures", "E76", "E82", "--out", out)
    return {name: rows(out / f"{name}.csv") for name in ("E76", "E82")}


def test_packets_leave_less_of_a_link_the_smaller_they_are(drawn):
    """E76: NVLink packet efficiency 16/17 = 94.12% (256 B), 4/5 = 80% (64 B)."""
    shares = {(int(r["directions"]), int(r["packet_bytes"])): float(r["data_pct"]) for r in drawn["E76"]}
    assert 92 < shares[1, 256] <= 94.12 and 78 < shares[1, 64] <= 80
    sizes = experiment("E76")["packets"]
    for directions in (1, 2):
        of_size = [shares[directions, size] for size in sizes]
        assert of_size == sorted(set(of_size))
    assert all(shares[2, size] < shares[1, size] for size in sizes)  # responses


def test_generations_of_nvlink_against_pcie(tmp_path):
    """E77: NVLink generations vs PCIe: 160/300/600/900/1800 GB/s; PCIe3 x16 32; ratio 5x, 7x, 14x. Both directions
    together: half of it one way. The ratios are of P100 to PCIe 3.0, H100 and B200 to PCIe 5.0."""
    large, rates = 1 << 30, {}
    for series in experiment("E77")["series"]:
        small, long = points(tmp_path, series, (4096, large))
        rates[series["system"], series["shape"]] = large / long / 1e3
        assert 4096 / small / 1e3 < 1, series["label"]  # the launch
    near = "from=0;to=1"
    for system, one_way in (("dgx-1-p100", 160 / 2 / 4), ("dgx-1-v100", 300 / 2 / 6), ("dgx-a100", 600 / 2),
                            ("dgx-h100", 900 / 2), ("dgx-b200", 1800 / 2)):
        assert rates[system, near] == pytest.approx(one_way * 16 / 17, rel=0.02), system
    assert 0.8 * 16 < rates["dgx-1-v100", "from=0;to=5"] < 16
    what = "copy:bytes=64MiB;from=0;to={}"
    four = collective(tmp_path, "dgx-1-p100", "+".join(what.format(to) for to in (1, 2, 3, 4)))[0]
    pcie = {g: simulated(tmp_path, [("epyc+8xa100", "copy", f"bytes={64 * MIB};{near}")], "--set",
                         f"topology.link=pcie{g}-x16")[0] for g in (3, 5)}
    assert 4 * pcie[3] / four["time_us"] == pytest.approx(5, rel=0.1)
    for system, ratio in (("dgx-h100", 7), ("dgx-b200", 14)):
        assert rates[system, near] / (64 * MIB / pcie[5] / 1e3) == pytest.approx(ratio, rel=0.1), system


def test_pairs_of_a_cube_mesh_differ_and_those_of_switches_do_not(tmp_path):
    """E78: DGX-1 cube-mesh vs NVSwitch all-to-all vs PCIe tree: pair bandwidth, hops, all-to-all time."""
    asked = [("dgx-1-v100", to) for to in range(1, 8)]
    for system, last in (("dgx-2", 15), ("dgx-a100", 7), ("dgx-h100", 7), ("dgx-b200", 7)):
        asked += [(system, to) for to in (1, 5, last)]
    assert {system for system, _ in asked} <= {s["name"] for s in experiment("E78")["systems"]}
    times = simulated(tmp_path, [(system, "copy", f"bytes={64 * MIB};from=0;to={to}") for system, to in asked])
    mesh = dict(zip(range(1, 8), times))
    # Figure 4 of the whitepaper of DGX-1 with V100: one link, two links, or none and then PCIe.
    assert mesh[1] == mesh[2] == pytest.approx(2 * mesh[3], rel=0.02) and mesh[3] == mesh[4]
    assert min(mesh[5], mesh[6], mesh[7]) > 1.5 * mesh[1]
    for i in range(7, len(times), 3):
        assert max(times[i:i + 3]) < 1.01 * min(times[i:i + 3]), asked[i]
    hops = []
    for system in ("dgx-1-v100", "dgx-a100"):
        run("run", "--system", system, "--workload", "copy:bytes=1MiB;from=0;to=5", "--trace", "none", "--out", tmp_path / "h")
        hops.append(sum(int(r["data_bytes"]) > 0 for r in rows(tmp_path / "h" / "links.csv")))
    assert hops == [5, 12]  # by a PCIe switch, two hosts and a switch; by six NVSwitches side by side
    # The same chips and links, behind switches; and no NVLink at all.
    exchange = f"bytes={16 * MIB};ranks=8"
    of_switches, of_mesh, of_pcie = simulated(tmp_path, [(s, "all_to_all", exchange)
                                                         for s in ("dgx-2", "dgx-1-v100", "epyc+8xa100")])
    assert 2 * of_switches < of_mesh < of_pcie


def test_switches_that_add_halve_what_a_link_carries(tmp_path):
    """E79: NVSwitch SHARP: in-switch reduction; all-reduce with and without, ~2x fewer bytes per GPU link."""
    sent = {}
    for shape in ("algo=ring;protocol=simple", "algo=nvls"):
        _, of_chips, _ = collective(tmp_path, "gb200-nvl72", f"all_reduce:bytes=2MiB;{shape}", "--no-symmetry")
        sent[shape] = of_chips["chip0"]
    assert sent["algo=ring;protocol=simple"] / sent["algo=nvls"] == pytest.approx(2, rel=0.05)
    ring, ll128, ll, nvls = (points(tmp_path, s, (512 << 10, 256 * MIB)) for s in experiment("E79")["series"])
    assert nvls[1] < ring[1] < ll128[1] < ll[1]  # a line of LL is half flags
    assert ll[0] < nvls[0] and ll[0] < ll128[0] < ring[0]


def test_a_rank_of_a_ring_sends_the_data_nearly_twice(tmp_path):
    """E80: All-reduce = reduce-scatter + all-gather (2 psi); ring 2(N-1)/N."""
    drawn = experiment("E80")
    for ranks in (2, 8, 24):
        assert ranks in drawn["ranks"]
        sent = {}
        for op in ("all_reduce", "reduce_scatter", "all_gather"):
            what = f"{op}:bytes=24MiB;ranks={ranks};algo=ring;protocol=simple"
            sent[op] = collective(tmp_path, drawn["system"], what, "--no-symmetry")[1]["chip0"] / (24 * MIB)
        assert sent["all_reduce"] == pytest.approx(2 * (ranks - 1) / ranks, rel=0.01)
        assert sent["all_reduce"] == pytest.approx(sent["reduce_scatter"] + sent["all_gather"], rel=0.01)


def test_a_torus_against_ports_of_infiniband(tmp_path):
    """E81: 2D torus 16x16, 496 Gb/s, bisection 15.9 Tb/s vs InfiniBand 6.4 Tb/s (2.5x): torus vs fat-tree all-reduce."""
    torus, ring, ports = (points(tmp_path, s, (64 << 10, 16 * MIB)) for s in experiment("E81")["series"])
    assert torus[0] < ring[0] and torus[1] < ring[1]
    assert ports[0] > torus[0] and ports[1] > 2.5 * torus[1]
    # All four links of a chip, 62 GB/s each, and a host's port of 100 Gbit/s: neither is ever exceeded.
    sent = 2 * 255 / 256 * 16 * MIB
    assert torus[1] > sent / (4 * 62e3) and ports[1] > sent / 12.5e3


def test_large_tori_and_slices_of_them(drawn):
    """E82: diameter of 2D vs 3D torus vs Clos for 64..4096 nodes; availability 99%; Monte-Carlo slice availability."""
    copies = {(r["network"], int(r["chips"])): float(r["copy_us"]) for r in drawn["E82"] if r["copy_us"]}
    whole = {(r["network"], int(r["chips"])): float(r["all_reduce_us"]) for r in drawn["E82"] if r["all_reduce_us"]}
    far = {("2D torus", 64): 8, ("2D torus", 512): 24, ("2D torus", 4096): 64, ("3D torus", 64): 6, ("3D torus", 512): 12,
           ("3D torus", 4096): 24}
    # Each more hop costs a link's latency, and the time of a packet.
    with open(os.path.join(ROOT, "configs", "links", "ici-v4.yaml"), encoding="utf-8") as file:
        latency = float(yaml.safe_load(file)["latency"]["value"].split()[0])
    for network in set(far) - {("3D torus", 64)}:
        hop = (copies[network] - copies["3D torus", 64]) / (far[network] - far["3D torus", 64])
        assert hop == pytest.approx(latency, abs=0.02), network
    trees = [copies["fat tree of InfiniBand", n] for n in (64, 512, 4096)]
    assert max(trees) == pytest.approx(min(trees), rel=0.01) and trees[2] < copies["3D torus", 4096]
    for chips in (64, 512, 4096):  # six links of a chip, or four
        assert 1.4 < whole["2D torus", chips] / whole["3D torus", chips] < 1.7
    shares = {(float(r["availability"]), r["rewired"]): float(r["goodput"]) for r in drawn["E82"] if r["goodput"]}
    gains = []
    for up in sorted({a for a, _ in shares}):
        # Sixteen blocks of sixteen hosts that all have to work.
        assert shares[up, "False"] == pytest.approx(up ** 256, abs=0.05), up
        gains.append(shares[up, "True"] / shares[up, "False"])
    assert gains == sorted(gains, reverse=True) and gains[0] > 5 and gains[-1] < 1.05
    assert shares[0.99, "True"] == pytest.approx(0.75, abs=0.02)  # three slices of four
