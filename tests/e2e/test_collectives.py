# SPDX-License-Identifier: Apache-2.0
"""Collectives beside all-reduce and all-gather, algorithms, versions of a library, and every system."""
import csv
import glob
import json
import os

import pytest
import yaml
from gpu_runs import siliscope
from test_cli import ROOT, rows, run
from test_cluster import summary_of

MIB = 1 << 20


def simulated(tmp_path, asked, *words):
    """Microseconds of collectives in one call: (system, operation, shape) of each."""
    with open(tmp_path / "asked.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "chip", "op", "dtype", "shape", "launch"])
        writer.writerows([i, system, op, "fp16", shape, "stream"] for i, (system, op, shape) in enumerate(asked))
    run("ops", tmp_path / "asked.csv", "--out", tmp_path / "times.csv", *words)
    return [float(r["simulated_us"]) for r in rows(tmp_path / "times.csv")]


def collective(tmp_path, system, what, *words):
    """The summary, and what each chip sent and received."""
    run("run", "--system", system, "--workload", what, "--trace", "none", *words, "--out", tmp_path / "c")
    sent, received = {}, {}
    for link in rows(tmp_path / "c" / "links.csv"):
        a, b = link["link"].split(" -> ")
        for node, total in ((a, sent), (b, received)):
            if node.startswith("chip"):
                total[node] = total.get(node, 0) + int(link["data_bytes"])
    return summary_of(tmp_path / "c"), sent, received


@pytest.mark.parametrize("op", ["broadcast", "reduce", "send_receive"])
def test_bandwidths_are_those_of_nccl_tests(op, tmp_path):
    """Bus and algorithm bandwidth are the same (nccl-tests, doc/PERFORMANCE.md and src/sendrecv.cu). Each byte leaves a
    chip at least once, at no more than 12 x 25 GB/s (NVIDIA A100 whitepaper)."""
    run("collectives", "--system", "dgx-a100", "--op", op, "--from", "4KiB", "--to", "64MiB", "--out", tmp_path / "t")
    table = rows(tmp_path / "t" / "collectives.csv")
    assert [int(r["bytes"]) for r in table] == [2 ** k for k in range(12, 27)]
    before = 0
    for row in table:
        size, time = int(row["bytes"]), float(row["time_us"])
        assert time >= size / 300e3 and time >= before, size
        assert float(row["algbw_gb_per_s"]) == pytest.approx(size / time / 1e3, rel=1e-6)
        assert float(row["busbw_gb_per_s"]) == float(row["algbw_gb_per_s"])
        before = time


def test_every_chip_gets_what_is_its_own(tmp_path):
    """Broadcast: all but the root get the data, once. Reduce: all but the one with the result send, once. Send and
    receive: each sends to the next (MPI 4.1, chapter 6; NCCL user guide, point-to-point)."""
    size = 16 * MIB
    for op in ("broadcast", "reduce", "send_receive"):
        _, sent, received = collective(tmp_path, "dgx-a100", f"{op}:bytes={size};ranks=8")
        counts = [sum(v == pytest.approx(size, rel=1e-3) for v in of.values()) for of in (sent, received)]
        assert counts == ([8, 8] if op == "send_receive" else [7, 7]), op
        assert sum(sent.values()) == sum(received.values()) == pytest.approx(sum(counts) / 2 * size, rel=1e-3), op
        if op == "broadcast":
            assert received["chip0"] == 0


def test_no_rank_leaves_a_barrier_before_the_last_has_come(tmp_path):
    """MPI 4.1, section 6.3. The more ranks, the more steps; there is no data but a flag's."""
    times = []
    for ranks in (2, 4, 8):
        summary, sent, _ = collective(tmp_path, "dgx-a100", f"barrier:ranks={ranks}")
        times.append(summary["time_us"])
        assert sum(sent.values()) < 2048
    assert times == sorted(set(times))
    late, _, _ = collective(tmp_path, "dgx-a100", "barrier:late_rank=3;late=500us")
    ends = [late["time_us"] - float(r["idle_us"]) for r in rows(tmp_path / "c" / "lanes.csv")]
    assert len(ends) == 8 and min(ends) > 500 and max(ends) < 500 + 1.1 * times[-1]


@pytest.mark.parametrize("system, chips, shape, rate", [("tpu-v2-pod", 16, "4x4", 62), ("tpu-v4-pod", 27, "3x3x3", 50)])
def test_a_torus_uses_all_links_alike(tmp_path, system, chips, shape, rate):
    """Jain and Sabharwal, ICS 2010: 2 (n - 1) / n of the data of a chip, shared out evenly to its two links of each
    dimension. Links of 496 Gbit/s and 50 GB/s: Jouppi et al., CACM 63-7 (2020) and ISCA 2023."""
    size, sets = 32 * MIB, ["--set", f"chips={chips}", "--set", f"topology.shape={shape}"]
    what = f"all_reduce:bytes={size};algo="
    torus, _, _ = collective(tmp_path, system, what + "torus", *sets, "--no-symmetry")
    links = rows(tmp_path / "c" / "links.csv")
    of_link = 2 * (chips - 1) / chips * size / (2 * len(shape.split("x")))
    assert len(links) == chips * 2 * len(shape.split("x"))
    for link in links:
        assert int(link["data_bytes"]) == pytest.approx(of_link, rel=0.01), link["link"]
    assert torus["time_us"] > of_link / rate / 1e3
    ring, _, _ = collective(tmp_path, system, what + "ring", *sets)
    assert torus["algorithm"] == "torus" and torus["time_us"] < 0.7 * ring["time_us"]


def test_direct_gathers_are_one_step(tmp_path):
    """Each sends its part to all others at once, as in an all-to-all: no chain of n - 1 hops."""
    for size in ("64KiB", "16MiB"):
        gather, sent, received = collective(tmp_path, "dgx-h100", f"all_gather:bytes={size};algo=direct")
        times = simulated(tmp_path, [("dgx-h100", "all_to_all", f"bytes={size}"),
                                     ("dgx-h100", "all_gather", f"bytes={size};algo=ring")])
        assert gather["time_us"] == pytest.approx(times[0], rel=0.02) and gather["time_us"] < times[1], size
        least = 7 / 8 * gather["bytes"] * (2 if gather["protocol"] == "ll" else 1)
        assert set(sent.values()) == set(received.values()) and sent["chip0"] == pytest.approx(least, rel=0.01)


def test_versions_of_the_library_cut_up_peers_data_in_other_ways(tmp_path):
    """configs/hosts/collectives: 2.27 takes LL up to 512 KiB of a peer, in parts of 8 KiB at least, of 64 KiB beyond.
    2.29 (p2p_parts_first) makes parts of 64 KiB and takes LL where a part has up to 16 KiB. Both: 16 parts at most for
    one peer of two ranks."""
    expected = {"16KiB": (("ll", 2), ("ll", 1)), "32KiB": (("ll", 4), ("simple", 1)),
                "512KiB": (("ll", 16), ("simple", 8)), "1MiB": (("simple", 16), ("simple", 16))}
    for peer, parts in expected.items():
        count = 2 * (int(peer[:-3]) << (20 if "M" in peer else 10))
        done = [collective(tmp_path, "dgx-h100", f"all_to_all:bytes={count};ranks=2", "--set", f"library=nccl-{v}")[0]
                for v in ("2.27", "2.29")]
        assert tuple((s["protocol"], s["channels"]) for s in done) == parts, peer
        same = parts[0] == parts[1]
        assert same == (done[0]["time_us"] == done[1]["time_us"]), peer
    # Nothing else differs.
    asked = [("dgx-h100", op, f"bytes={size}") for op in ("all_reduce", "reduce_scatter") for size in (65536, 8 * MIB)]
    assert simulated(tmp_path, asked, "--set", "library=nccl-2.27") == simulated(tmp_path, asked)


def test_versions_of_the_library_believe_other_things_of_blackwell(tmp_path):
    """NCCL's tuning.cc: 2.27 believes that LL128 passes 73.4 GB/s a channel of Blackwell, 2.29 believes in 40, so that it
    takes Simple earlier. Of Hopper both believe 36.7."""
    def protocols(system, version):
        return [collective(tmp_path, system, f"all_gather:bytes={mib << 20}", "--set", f"library=nccl-{version}")[0]["protocol"]
                for mib in (8, 16, 32, 64)]
    assert protocols("dgx-b200", "2.27") == ["ll", "ll128", "ll128", "simple"]
    assert protocols("dgx-b200", "2.29") == ["ll", "ll128", "simple", "simple"]
    assert protocols("dgx-h100", "2.27") == protocols("dgx-h100", "2.29")


def test_pat_is_taken_where_each_node_has_one_rank(tmp_path):
    """NCCL's ncclPatEnable: all-gather and reduce-scatter, one rank a node; large ones stay with the ring, of whose
    bandwidth PAT is believed to reach three quarters."""
    def choice(op, size, **more):
        keys = "".join(f";{k}={v}" for k, v in more.items())
        return collective(tmp_path, "superpod-h100", f"{op}:bytes={size}{keys}")[0]["algorithm"]
    for op in ("all_gather", "reduce_scatter"):
        assert choice(op, MIB, per_node=1) == "pat"
        assert choice(op, MIB, per_node=2) == "ring" and choice(op, MIB, ranks=16) == "ring"
        assert choice(op, 1024 * MIB, per_node=1) == "ring"
    assert choice("all_reduce", MIB, per_node=1) != "pat"
    # Fewer steps: less time than the ring takes.
    pat = collective(tmp_path, "superpod-h100", f"all_gather:bytes={MIB};per_node=1")[0]
    ring = collective(tmp_path, "superpod-h100", f"all_gather:bytes={MIB};per_node=1;algo=ring")[0]
    assert pat["ranks"] == ring["ranks"] == 32 and pat["time_us"] < ring["time_us"]
    done = siliscope("run", "--system", "superpod-h100", "--workload", "all_gather:bytes=1;per_node=9", "--out",
                     str(tmp_path / "x"))
    assert done.returncode == 2 and "has 32 nodes of 8 chips" in done.stderr


def test_traffic_shares_links_by_weight(tmp_path):
    """Two sends over the links of one pair: the one of weight 3 gets three quarters while both go on, so it has 2/3 of
    the time of both; together they take as long as without weights."""
    def ends(first, second, *more):
        size = 64 * MIB
        both = f"send:bytes={size};ranks=2{first}+send:bytes={size};ranks=2{second}"
        return collective(tmp_path, "hgx-a100-4", both, *more)[0]["ends_us"]
    plain, heavy, light = ends("", ""), ends(";weight=3", ""), ends("", ";weight=3")
    assert max(heavy) == pytest.approx(max(plain), rel=0.01) and max(light) == pytest.approx(max(plain), rel=0.01)
    assert heavy[0] == pytest.approx(2 / 3 * max(plain), rel=0.05)
    assert light[1] == pytest.approx(2 / 3 * max(plain), rel=0.08)  # it begins behind what the other had sent


def test_hosts_copy_over_their_own_links(tmp_path):
    """GB200: NVLink-C2C, 450 GB/s each way, between a Grace and each of its two chips; a PCIe host as its tree has it."""
    def rate(system, way):
        return collective(tmp_path, system, f"copy:bytes={256 * MIB};{way}")[0]["algbw_gb_per_s"]
    for way in ("from=host0;to=1", "from=1;to=host0"):
        assert 0.9 * 450 < rate("gb200-nvl72", way) < 450
        assert 0.85 * 15.75 < rate("dgx-1-v100", way) < 15.75
    assert rate("gb200-nvl72", "from=0;to=1") > 800  # chips meet over NVLink, not in their host
    for system, way, says in (("gb200-nvl72", "from=host0;to=host0", "two memories"), ("gb200-nvl72", "from=host40;to=1", "host0 to host35"),
                              ("hgx-a100-4", "from=host0;to=1", "no hosts"), ("dgx-h100", "from=8;to=1", "chips 0 to 7")):
        done = siliscope("run", "--system", system, "--workload", f"copy:bytes=1MiB;{way}", "--out", str(tmp_path / "x"))
        assert done.returncode == 2 and says in done.stderr, done.stderr


def test_a_plateau_of_all_to_all_belongs_to_one_version(tmp_path):
    """Measured on H100 with 2.29 (nccl-tests): 2 ranks 15.5 us at 2 MiB, 4 ranks 14.4 us at 256 KiB and 15.6 us at 1 MiB,
    as ever more CTAs move 64 KiB each. Where a part has 512 KiB, 16 MiB in all for any number of ranks, a receiver drains
    a chunk while the next arrives: the slope drops by a third."""
    sizes = [(2, 256), (2, 2048), (4, 256), (4, 1024)]
    asked = [("dgx-h100", "all_to_all", f"bytes={kib << 10};ranks={ranks}") for ranks, kib in sizes]
    new, old = simulated(tmp_path, asked), simulated(tmp_path, asked, "--set", "library=nccl-2.27")
    assert new[1] == pytest.approx(15.5, rel=0.1) and new[2:] == [pytest.approx(t, rel=0.1) for t in (14.4, 15.6)]
    assert new[1] < 1.1 * new[0] and new[3] < 1.1 * new[2]
    assert old[1] > 1.5 * old[0] and old[3] > 1.5 * old[2]
    for ranks in (2, 4, 8):
        times = simulated(tmp_path, [("dgx-h100", "all_to_all", f"bytes={m * MIB};ranks={ranks}") for m in (8, 16, 32)])
        slopes = (times[1] - times[0]) / 8, (times[2] - times[1]) / 16
        assert slopes[1] / slopes[0] == pytest.approx(2 / 3, abs=0.1), ranks


def test_the_shortest_stage_of_the_switch(tmp_path):
    """Logs of 8 H100: a loop over chunks of 16 KiB, 2 MiB of all ranks and CTAs, takes 11.6 us."""
    times = simulated(tmp_path, [("dgx-h100", "all_reduce", f"bytes={m * MIB};algo=nvls") for m in (2, 4, 6)])
    assert (times[2] - times[0]) / 2 == pytest.approx(11.6, abs=0.5) and times[0] < times[1] < times[2]


def test_seeds_change_errors_and_little_time():
    """The same seed gives the same cycles; other seeds are within 1% where errors are rare (1e-7 a bit: about four
    of 38 million bits)."""
    def cycles(seed):
        done = json.loads(run("link", "--kind", "nvlink1", "--bytes", "4MiB", "--bit-error-rate", 1e-7, "--seed", seed))
        return done["cycles"], done["forward"]["errors"] + done["back"]["errors"]

    first = cycles(1)
    assert cycles(1) == first and first[1] > 0
    others = [cycles(seed) for seed in range(2, 6)]
    assert len({c for c, _ in others}) > 1
    for of_seed, _ in others:
        assert of_seed == pytest.approx(first[0], rel=0.01)


# GB/s out of a chip, one direction, by what its maker publishes: DGX-1 (2 generations), DGX-2, DGX A100 to B200 and
# GB200, PCIe 4.0 x16, Ascend 910 (HCCS within a group of four), Gaudi 2 (21 ports), TPU v2 to v4, a corner of Dojo's tile.
LINKS = {"dgx-1-p100": 80, "dgx-1-v100": 150, "dgx-2": 150, "dgx-a100": 300, "hgx-a100-4": 300, "selene-a100": 300,
         "dgx-h100": 450, "dgx-h200": 450, "superpod-h100": 450, "llama3-pod": 450, "superpod-b300": 900, "dgx-b200": 900, "gb200-nvl72": 900, "epyc+8xa100": 31.5,
         "pcie-8xl40s": 31.5, "ascend-910-8p": 90, "hls-gaudi2": 262.5, "tpu-v2-pod": 248, "tpu-v3-pod": 328,
         "tpu-v4-pod": 300, "dojo-tile": 4000, "on-chip-crossbar": 64, "on-chip-mesh": 128, "on-chip-ring": 128}
# These chips' switches add up, so that a chip may send its data once, not 2 (n - 1) / n times.
ADDED_IN_THE_SWITCH = {"dgx-h100", "dgx-h200", "dgx-b200", "gb200-nvl72", "superpod-h100", "superpod-b300", "llama3-pod"}
SEVERAL_NODES = ("selene-a100", "superpod-h100", "superpod-b300", "llama3-pod")


def test_an_all_reduce_on_every_system(tmp_path):
    """No bus bandwidth is above what a chip's links carry; large sizes get a quarter of it or more; a larger size never
    takes less time."""
    systems = {os.path.basename(f)[:-5] for f in glob.glob(os.path.join(ROOT, "configs", "systems", "*.yaml"))}
    assert systems == set(LINKS)
    sizes = [1 << k for k in (12, 16, 20, 24, 28)]
    asked = []
    for system in sorted(systems):
        few = ";ranks=16" if system in SEVERAL_NODES else ""  # two nodes of eight
        asked += [(system, "all_reduce", f"bytes={size}{few}") for size in sizes]
    times = simulated(tmp_path, asked)
    for i, system in enumerate(sorted(systems)):
        of_system = times[i * len(sizes):(i + 1) * len(sizes)]
        assert of_system == sorted(set(of_system)), system
        with open(os.path.join(ROOT, "configs", "systems", f"{system}.yaml"), encoding="utf-8") as file:
            ranks = 16 if system in SEVERAL_NODES else yaml.safe_load(file)["chips"]
        counted = 2 * (ranks - 1) / ranks
        most = LINKS[system] * (counted if system in ADDED_IN_THE_SWITCH else 1)
        busbw = [counted * size / time / 1e3 for size, time in zip(sizes, of_system)]
        assert max(busbw) < most and busbw[-1] > LINKS[system] / 4, (system, busbw)


@pytest.mark.parametrize("words, says", [
    (["run", "--system", "tpu-v2-pod", "--workload", "all_reduce:bytes=1MiB;algo=toruss"], "did you mean \"torus\""),
    (["collectives", "--system", "dgx-a100", "--algo", "rings"], "did you mean \"ring\""),
    (["run", "--system", "dgx-a100", "--workload", "all_reduce:bytes=1MiB;algo=torus"], "algo=torus"),
    (["run", "--system", "dojo-tile", "--workload", "all_reduce:bytes=1MiB;algo=torus"], "can't be"),  # a mesh
    (["run", "--system", "dgx-a100", "--workload", "all_reduce:bytes=1MiB;algo=direct"], "algo=direct"),
    (["run", "--system", "dgx-a100", "--workload", "send_receive:bytes=1MiB;algo=tree"], "algo=direct"),
    (["run", "--system", "dgx-a100", "--workload", "broadcast:bytes=0"], "bytes=0"),
    (["run", "--system", "dgx-a100", "--workload", "all_reduce:bytes=1MiB;ranks=2.5"], "whole number"),
    (["run", "--system", "hgx-a100-4", "--workload", "all_reduce:bytes=1MiB", "--set", "topology.links_per_pair=0"],
     "topology.links_per_pair: 0"),
    (["run", "--system", "dgx-h100", "--workload", "all_reduce:bytes=1MiB", "--set", "topology.switches.nvswitch0=0"],
     "topology.switches.nvswitch0"),
    (["run", "--system", "dgx-1-v100", "--workload", "all_reduce:bytes=1MiB", "--set", "topology.links.0-1=0"],
     "topology.links.0-1"),
    (["run", "--system", "tpu-v2-pod", "--workload", "all_reduce:bytes=1MiB", "--set", "topology.shape=0x16"],
     "is not 256 chips"),
    (["run", "--system", "dgx-a100", "--workload", "all_reduce:bytes=1MiB", "--set", "chips=0"], "chips: 0"),
    (["run", "--system", "hgx-a100-4", "--workload", "mixtral_8x7b_layer", "--seq", 64, "--batch", 4, "--parallel", "ep=3"],
     "no multiple of 3"),
    (["run", "--system", "hgx-a100-4", "--workload", "llama2_7b_layer", "--seq", 64, "--parallel", "tp=4,pp=2"],
     "8 ranks on 4 chips")])
def test_mistakes_are_one_line(words, says, tmp_path):
    assert says in run(*words, "--out", tmp_path / "o", code=2)
    assert not (tmp_path / "o").exists()


def test_plans_that_say_nothing_are_refused():
    for plan, words in (("tp=2,tp=2", "tp twice"), ("sp=on", "among the ranks of tp")):
        done = run("run", "--system", "dgx-a100", "--workload", "bert_base_layer", "--parallel", plan, code=2)
        assert words in done, plan
    assert "bytes" in run("run", "--system", "dgx-a100", "--workload", "barrier:bytes=64MiB", code=2)


def test_a_broadcast_reaches_the_bandwidth_of_its_channels(tmp_path):
    """NCCL's broadcast moves a step of the buffer at a time (BROADCAST_CHUNKSTEPS = 1, collectives.h), so a chain of
    eight is full early. A reduce ends at its root, rank 0 (nccl-tests)."""
    broadcast, _, _ = collective(tmp_path, "dgx-a100", "broadcast:bytes=128MiB;protocol=simple")
    assert broadcast["algbw_gb_per_s"] > 120
    _, sent, received = collective(tmp_path, "dgx-a100", "reduce:bytes=16MiB")
    assert sent["chip0"] == 0 and received["chip0"] == pytest.approx(16 * MIB, rel=1e-3)


def test_large_sends_take_more_channels(tmp_path):
    """A part of more than 32 chunks of 512 KiB is cut in two, up to the channels of a peer (NCCL, addP2pToPlan)."""
    small, _, _ = collective(tmp_path, "dgx-a100", "send_receive:bytes=64MiB")
    large, _, _ = collective(tmp_path, "dgx-a100", "send_receive:bytes=1GiB")
    assert small["channels"] == 4 and large["channels"] == 32
    assert large["algbw_gb_per_s"] > 3 * small["algbw_gb_per_s"]


def test_ll128_needs_volta(tmp_path):
    """NCCL, tuning.cc: LL128 from compute capability 7.0 on; P100 is 6.0."""
    for mib in (1, 4, 16):
        done, _, _ = collective(tmp_path, "dgx-1-p100", f"all_reduce:bytes={mib}MiB")
        assert done["protocol"] != "ll128"


def test_rings_of_a_mesh_use_all_links(tmp_path):
    """Gaudi 2: three links to each of seven others (Habana whitepaper, 2022)."""
    done, sent, _ = collective(tmp_path, "hls-gaudi2", "all_reduce:bytes=256MiB")
    pairs = {tuple(sorted(r["link"].split(" -> "))) for r in rows(tmp_path / "c" / "links.csv") if int(r["data_bytes"]) > 0}
    assert len(pairs) >= 24 and done["busbw_gb_per_s"] > 0.7 * 262.5
