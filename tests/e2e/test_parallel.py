# SPDX-License-Identifier: Apache-2.0
"""Networks divided over the chips of a system, execution traces, hierarchical collectives, work beside them."""
import json
import os
import struct

import pytest
import yaml
from test_cli import ROOT, rows, run

LLAMA = ["--workload", "llama2_7b_layer", "--dtype", "fp16", "--seq", 512]


def fails(code, *words):
    return run(*words, code=code)


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def divided(tmp_path, name, *arguments, system="hgx-a100-4"):
    run("run", "--system", system, *LLAMA, *arguments, "--trace", "none", "--out", tmp_path / name)
    return summary_of(tmp_path / name)


def test_the_times_of_each_rank_sum_to_the_whole(tmp_path):
    s = divided(tmp_path, "r", "--parallel", "tp=2,pp=2,microbatches=2", "--batch", 2, "--dim", "layers=2")
    assert s["pipeline_parallel"] == 2 and s["chips"] == 4
    ranks = rows(tmp_path / "r" / "ranks.csv")
    assert [int(r["stage"]) for r in ranks] == [0, 0, 1, 1]
    for r in ranks:
        parts = sum(float(r[k]) for k in ("compute_us", "overlapped_us", "communication_us", "waiting_us"))
        assert parts == pytest.approx(s["time_us"], rel=1e-7)
        assert int(r["weight_bytes"]) == s["weight_bytes_per_rank"]
    with open(os.path.join(ROOT, "configs", "schema", "columns.yaml"), encoding="utf-8") as file:
        documented = yaml.safe_load(file)
    for name in ("links.csv", "ranks.csv", "operators.csv"):
        assert list(rows(tmp_path / "r" / name)[0]) == list(documented[f"cluster/{name}"]), name
    for link in rows(tmp_path / "r" / "links.csv"):
        assert float(link["busy_pct"]) <= 100.001


def test_divisions_do_the_work_of_the_network(tmp_path):
    whole = divided(tmp_path, "w", "--parallel", "tp=1", "--dim", "layers=2")
    for plan in ("pp=2", "tp=4", "tp=2,pp=2"):
        s = divided(tmp_path, "d", "--parallel", plan, "--dim", "layers=2")
        # Norms and sums of residuals are done by every rank of tp.
        assert s["nominal_flops"] == pytest.approx(whole["nominal_flops"], rel=1e-2)
        assert s["weight_bytes_per_rank"] == pytest.approx(whole["weight_bytes_per_rank"] / s["chips"], rel=1e-2)


def test_the_bubble_of_a_pipeline(tmp_path):
    """p stages of equal length and m micro-batches: a rank waits (p - 1) of (m + p - 1) steps (Huang et al., "GPipe",
    NeurIPS 2019, section 2.3)."""
    for m in (1, 4):
        s = divided(tmp_path, "p", "--parallel", f"pp=4,microbatches={m}", "--batch", m, "--dim", "layers=4")
        waits = s["waiting_us"] / s["time_us"]
        assert waits == pytest.approx(3 / (m + 3), abs=0.06), m


def test_sequence_parallel_moves_the_same_bytes_in_two_halves(tmp_path):
    """An all-reduce is a reduce-scatter and an all-gather (Korthikanti et al., 2022, section 4.2.2); norms and residuals
    are divided, and so are the activations between them."""
    plain = divided(tmp_path, "t", "--parallel", "tp=4")
    s = divided(tmp_path, "s", "--parallel", "tp=4,sp=on")
    kinds = [r["kind"] for r in rows(tmp_path / "s" / "operators.csv") if int(r["exchanged_bytes"]) > 0]
    assert kinds == ["all_gather", "reduce_scatter"] * 2
    assert s["compute_us"] < plain["compute_us"]
    moved = {n: sum(int(r["data_bytes"]) for r in rows(tmp_path / n / "links.csv")) for n in "ts"}
    assert moved["s"] == pytest.approx(moved["t"], rel=0.1)  # LL128 has flags, 8 in 128 B


def test_experts_divided_over_ranks(tmp_path):
    """Rows go to their experts and come back: two all-to-alls of tokens x 2 experts x hidden (GShard)."""
    run("run", "--system", "hgx-a100-4", "--workload", "mixtral_8x7b_layer", "--dtype", "fp16", "--seq", 256, "--batch", 4,
        "--parallel", "ep=4", "--trace", "none", "--out", tmp_path / "e")
    exchanged = {r["kind"]: int(r["exchanged_bytes"]) for r in rows(tmp_path / "e" / "operators.csv")
                 if int(r["exchanged_bytes"]) > 0}
    assert exchanged == {"all_to_all": 256 * 2 * 4096 * 2}
    run("run", "--system", "hgx-a100-4", "--workload", "mixtral_8x7b_layer", "--dtype", "fp16", "--seq", 256, "--batch", 4,
        "--parallel", "tp=1", "--trace", "none", "--out", tmp_path / "o")
    divided_, one = summary_of(tmp_path / "e"), summary_of(tmp_path / "o")
    experts = 8 * 3 * 4096 * 14336 * 2
    assert one["weight_bytes_per_rank"] - divided_["weight_bytes_per_rank"] == experts * 3 // 4
    assert one["nominal_flops"] == pytest.approx(divided_["nominal_flops"], rel=1e-6)


def test_what_does_not_fit_is_said(tmp_path):
    text = fails(4, "run", "--system", "hgx-a100-4", "--workload", "gpt3_layer", "--dim", "layers=96", "--seq", 16,
                 "--dtype", "fp16", "--parallel", "tp=4", "--out", tmp_path / "x")
    assert "does not fit" in text and "workspace" in text and "weights 87" in text and "2 times as many ranks" in text


@pytest.mark.parametrize("plan, says", [("tp=3", "no multiple of it"), ("pp=200", "200 ranks on 4 chips"),
                                        ("ep=2", "no experts to divide"), ("pp=2,microbatches=3", "no multiple of"),
                                        ("sp=4", "sp=on or sp=off"), ("pq=2", "pp")])
def test_plans_that_can_not_be(tmp_path, plan, says):
    text = fails(2, "run", "--system", "hgx-a100-4", *LLAMA, "--batch", 4, "--parallel", plan, "--out", tmp_path / "x")
    assert says in text and text.count("\n") == 1


def test_a_chakra_trace_is_written_and_run_again(tmp_path):
    s = divided(tmp_path, "r", "--parallel", "tp=2", "--dim", "layers=2")
    arguments = ["run", "--system", "hgx-a100-4", *LLAMA, "--parallel", "tp=2", "--dim", "layers=2"]
    run(*arguments, "--trace", "chakra", "--out", tmp_path / "c")
    assert {"trace.0.et", "trace.1.et", "trace.groups.json"} <= set(os.listdir(tmp_path / "c"))
    run("run", "--system", "hgx-a100-4", "--workload", tmp_path / "c" / "trace.0.et", "--trace", "chakra", "--out",
        tmp_path / "again")
    assert summary_of(tmp_path / "again")["time_us"] == s["time_us"]
    nodes = rows(tmp_path / "again" / "nodes.csv")
    assert {n["kind"] for n in nodes} == {"compute", "all_reduce"}
    with open(os.path.join(ROOT, "configs", "schema", "columns.yaml"), encoding="utf-8") as file:
        assert list(nodes[0]) == list(yaml.safe_load(file)["cluster/nodes.csv"])


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def node(identity, kind, after=(), duration=0, **attributes):
    """A message Node of Chakra's et_def.proto."""
    text = field(1, identity) + field(2, f"n{identity}") + field(3, kind)
    text += b"".join(field(5, a) for a in after) + field(7, duration)
    for name, value in attributes.items():
        if isinstance(value, float):
            text += field(10, field(1, name) + varint(3 << 3 | 1) + struct.pack("<d", value))
        else:
            text += field(10, field(1, name) + field(9 if isinstance(value, int) else 29, value))
    return text


def write_trace(folder, ranks):
    folder.mkdir(exist_ok=True)
    for rank, nodes in enumerate(ranks):
        messages = [field(1, "0.0.4"), *nodes]
        (folder / f"t.{rank}.et").write_bytes(b"".join(varint(len(m)) + m for m in messages))
    return folder / "t"


COMPUTE, SEND, RECEIVE, COLLECTIVE = 4, 5, 6, 7


def test_a_trace_from_elsewhere_runs(tmp_path):
    def rank(r):
        message = {"comm_src": 1 - r, "comm_dst": r} if r else {"comm_src": r, "comm_dst": 1 - r}
        return [node(1, COMPUTE, duration=50), node(2, COLLECTIVE, [1], comm_type=0, comm_size=1 << 20),
                node(3, RECEIVE if r else SEND, [2], comm_tag=7, comm_size=1 << 20, **message),
                node(4, COMPUTE, [3], num_ops=2e12, tensor_size=1 << 20)]

    path = write_trace(tmp_path / "t", [rank(0), rank(1)])
    run("run", "--system", "hgx-a100-4", "--workload", path, "--out", tmp_path / "o")
    times = {(n["rank"], n["name"]): (float(n["begin_us"]), float(n["end_us"])) for n in rows(tmp_path / "o" / "nodes.csv")}
    assert times["0", "n1"] == (0, 50) and times["0", "n2"][0] == 50
    assert times["1", "n3"][0] >= times["1", "n2"][1] and times["1", "n3"][1] > times["1", "n3"][0]
    # 2 TFLOP under the roof of an A100, 312 TFLOP/s.
    begin, end = times["0", "n4"]
    assert end - begin == pytest.approx(2e12 / 312e12 * 1e6, rel=1e-3)


@pytest.mark.parametrize("ranks, says", [
    ([[node(1, COMPUTE, [2]), node(2, COMPUTE, [1])]], "circle"),
    ([[node(1, COMPUTE, [9])]], "waits for node 9"),
    ([[node(1, COMPUTE), node(1, COMPUTE)]], "two nodes have the number 1"),
    ([[node(1, SEND, comm_src=0, comm_dst=1, comm_size=8)], []], "rank 1 has no receive"),
    ([[node(1, COLLECTIVE, comm_type=0, comm_size=8)], []], "rank 1 has no part in it"),
    ([[node(1, COLLECTIVE, comm_type=0, comm_size=8)], [node(1, COLLECTIVE, comm_type=0, comm_size=9)]], "8 B there"),
    ([[node(1, COLLECTIVE, comm_type=3, comm_size=8)]], "comm_type 3"),
    ([[node(1, COLLECTIVE, comm_type=0)]], "comm_size is missing"),
    ([[node(1, COLLECTIVE, comm_type=0, comm_size=1 << 62)]], "comm_size 4611686018427387904: from 1 to 1099511627776"),
    ([[node(1, SEND, comm_src=0, comm_dst=1 << 32, comm_size=8)], []], "comm_dst 4294967296: from 0 to 65535"),
    ([[node(1, COMPUTE, duration=1 << 50)]], "duration_micros 1125899906842624"),
    ([[node(1, COLLECTIVE, comm_type=0, comm_size=8, pg_name="5")]], "process group 5"),
    ([[node(1, SEND, comm_src=0, comm_dst=0, comm_size=8)]], "another rank"),
    ([[node(1, COMPUTE)]] * 9, "9 ranks on the 4 chips"),
    ([[]], "no nodes"),
    # Each waits for the other's message before it sends its own.
    ([[node(1, RECEIVE, comm_src=1, comm_dst=0, comm_size=8), node(2, SEND, [1], comm_src=0, comm_dst=1, comm_size=8)],
      [node(1, RECEIVE, comm_src=0, comm_dst=1, comm_size=8), node(2, SEND, [1], comm_src=1, comm_dst=0, comm_size=8)]],
     "wait for each other forever"),
])
def test_traces_that_can_not_be_run(tmp_path, ranks, says):
    path = write_trace(tmp_path / "t", ranks)
    text = fails(2, "run", "--system", "hgx-a100-4", "--workload", path, "--out", tmp_path / "o")
    assert says in text and text.count("\n") == 1


def test_a_trace_cut_off(tmp_path):
    path = write_trace(tmp_path / "t", [[node(1, COMPUTE, duration=5), node(2, COMPUTE, [1], duration=5)]])
    whole = (tmp_path / "t" / "t.0.et").read_bytes()
    for length, more in ((0, b""), (1, b""), (4, b""), (len(whole) - 1, b""), (len(whole), b"\xff" * 30)):
        (tmp_path / "t" / "t.0.et").write_bytes(whole[:length] + more)
        text = fails(2, "run", "--system", "hgx-a100-4", "--workload", path, "--out", tmp_path / "o")
        assert "cut off or damaged" in text and text.count("\n") == 1, length


NETWORK = "topology: [ {} ]\nnpus_count: [ {} ]\nbandwidth: [ {} ]\nlatency: [ {} ]\n"


def astra(tmp_path, network, system):
    (tmp_path / "n.yml").write_text(network)
    (tmp_path / "s.json").write_text(json.dumps(system))
    return f"{tmp_path}/n.yml,{tmp_path}/s.json"


def test_networks_of_astra_sim(tmp_path):
    """1 MiB over 8 fully connected NPUs of 50 GB/s and 500 ns: 64,440 ns in ASTRA-sim's own documentation
    (docs/getting-started, examples/network_analytical)."""
    files = astra(tmp_path, NETWORK.format("FullyConnected", 8, 50.0, 500.0),
                  {"endpoint-delay": 10, "preferred-dataset-splits": 4, "all-reduce-implementation": ["ring"]})
    run("run", "--system", files, "--workload", "all_reduce:bytes=1MiB", "--trace", "none", "--out", tmp_path / "o")
    assert summary_of(tmp_path / "o")["time_us"] == pytest.approx(64.44, rel=0.03)
    # The same from an execution trace, with another algorithm for each dimension.
    files = astra(tmp_path, NETWORK.format("Ring, FullyConnected, Switch", "2, 2, 2", "200.0, 100, 50", "50, 500, 2000"),
                  {"all-reduce-implementation": ["ring", "direct", "halvingDoubling"], "peak-perf": 100,
                   "local-mem-bw": 1000, "roofline-enabled": 1})
    nodes = [node(1, COMPUTE, num_ops=1e9, tensor_size=1 << 10), node(2, COLLECTIVE, [1], comm_type=0, comm_size=1 << 20)]
    path = write_trace(tmp_path / "t", [nodes] * 8)
    run("run", "--system", files, "--workload", path, "--trace", "none", "--out", tmp_path / "o")
    table = rows(tmp_path / "o" / "nodes.csv")
    assert float(table[0]["end_us"]) == pytest.approx(10)  # 1 GFLOP at 100 TFLOP/s
    assert [n["kind"] for n in table if n["rank"] == "0"] == ["compute", "reduce_scatter", "reduce_scatter", "all_reduce",
                                                                "all_gather", "all_gather"]


@pytest.mark.parametrize("network, system, says", [
    (NETWORK.format("Rong", 8, 50, 500), {}, "n.yml:1:13: topology: Rong: not a topology; did you mean \"Ring\""),
    (NETWORK.format("Ring", 0, 50, 500), {}, "from 1 to"),
    (NETWORK.format("Ring, Ring", 8, 50, 500), {}, "a list with a value for each dimension"),
    (NETWORK.format("Ring", 8, 1e-300, 500), {}, "0.001 to 1e6 GB/s"),
    (NETWORK.format("Ring", 65536, 50, 500), {}, "from 1 to 4096"),
    (NETWORK.format("Ring", 8, 50, 500), {"all-reduce-implementatoin": ["ring"]}, "did you mean \"all-reduce-impl"),
    (NETWORK.format("Ring", 8, 50, 500), {"all-reduce-implementation": ["rings"]}, "not an algorithm"),
    (NETWORK.format("Ring", 8, 50, 500), {"all-reduce-implementation": []}, "0 names for 1 dimensions"),
    (NETWORK.format("Ring", 8, 50, 500), {"preferred-dataset-splits": 0}, "from 1 to 1024"),
])
def test_networks_of_astra_sim_with_mistakes(tmp_path, network, system, says):
    text = fails(2, "run", "--system", astra(tmp_path, network, system), "--workload", "all_reduce:bytes=1MiB", "--out",
                 tmp_path / "o")
    assert says in text and text.count("\n") == 1


def collective(tmp_path, system, what, *more):
    run("run", "--system", system, "--workload", what, "--trace", "none", *more, "--out", tmp_path / "c")
    return summary_of(tmp_path / "c")


def test_steps_at_doubling_distances(tmp_path):
    """log2(n) steps: faster than n - 1 where latency counts, slower where neighbours' links do (Thakur et al., 2005)."""
    for algorithm in ("halving_doubling", "pat"):
        small = [collective(tmp_path, "superpod-h100", f"all_gather:bytes=64KiB;ranks=64;algo={a}")["time_us"]
                 for a in (algorithm, "ring")]
        large = [collective(tmp_path, "superpod-h100", f"all_gather:bytes=256MiB;ranks=64;algo={a}")["time_us"]
                 for a in (algorithm, "ring")]
        assert small[0] < 0.7 * small[1] and large[0] > large[1], algorithm
    s = collective(tmp_path, "superpod-h100", "all_gather:bytes=1MiB;ranks=24;algo=pat")
    assert s["wire_bytes_per_rank"] == pytest.approx(23 / 24 * 2 ** 20, rel=1e-3)
    for what in ("all_gather:bytes=1MiB;ranks=24;algo=halving_doubling", "all_reduce:bytes=1MiB;ranks=8;algo=pat"):
        assert "can't be" in fails(2, "run", "--system", "superpod-h100", "--workload", what, "--out", tmp_path / "x")


def test_hierarchical_collectives(tmp_path):
    """Scatter in the node, sum over the nodes, gather in the node: between nodes only 1/8 of a ring's chunk a card."""
    s = collective(tmp_path, "superpod-h100", "all_reduce:bytes=1GiB;ranks=32;algo=hierarchical")
    assert s["wire_bytes_per_rank"] == pytest.approx((2 * 7 / 8 + 2 / 8 * 3 / 4) * 2 ** 30, rel=1e-3)
    cards = [r for r in rows(tmp_path / "c" / "links.csv") if "nic" in r["link"] and "leaf" in r["link"]]
    assert sum(int(r["data_bytes"]) for r in cards) == pytest.approx(2 * 32 * 2 / 8 * 3 / 4 * 2 ** 30, rel=0.08)
    text = fails(2, "run", "--system", "superpod-h100", "--workload", "all_reduce:bytes=1MiB;ranks=12;algo=hierarchical",
                 "--out", tmp_path / "x")
    assert "no whole nodes of 8" in text


def test_fabrics_between_nodes(tmp_path):
    base = ["--set", "topology.scale_out.nodes_per_leaf=4", "--set", "topology.nodes=16"]
    what = "all_to_all:bytes=64MiB;ranks=128"
    times = {}
    for name, more in (("one spine", []), ("four", ["--set", "topology.scale_out.spines=4"]),
                       ("thin", ["--set", "topology.scale_out.oversubscription=4"]),
                       ("dragonfly", ["--set", "topology.scale_out.network=dragonfly"])):
        times[name] = collective(tmp_path, "superpod-h100", what, *base, *more)["time_us"]
    assert times["four"] > 0.99 * times["one spine"]  # a route has one spine
    assert times["thin"] > 1.5 * times["one spine"]
    assert times["dragonfly"] > 3 * times["one spine"]  # one link between two leaves for 32 chips
    wide = collective(tmp_path, "superpod-h100", what, *base, "--set", "topology.scale_out.network=dragonfly", "--set",
                      "topology.scale_out.local_links=8")["time_us"]
    assert wide < 0.5 * times["dragonfly"]


def test_a_product_beside_a_collective(tmp_path):
    """Channels hold SMs: while they run the product has 108 - 24 of an A100's."""
    run("run", "--system", "dgx-a100", "--workload", "all_gather:bytes=256MiB+gemm:m=4096;n=4096;k=4096", "--dtype", "fp16",
        "--trace", "none", "--out", tmp_path / "b")
    parts = {p["name"]: p for p in summary_of(tmp_path / "b")["parts"]}
    gemm = parts["gemm"]["beside_us"] / parts["gemm"]["alone_us"]
    assert parts["all_gather"]["channels"] == 24 and 1.1 < gemm < 1.4
    assert parts["all_gather"]["beside_us"] == pytest.approx(parts["all_gather"]["alone_us"], rel=1e-6)
    text = fails(2, "run", "--system", "tpu-v3-pod", "--workload", "all_gather:bytes=1MiB+gemm:m=64;n=64;k=64", "--out",
                 tmp_path / "x")
    assert "run on GPUs" in text


def test_ideal_resources_take_away_what_they_were_charged(tmp_path):
    what = "all_reduce:bytes=256KiB;ranks=8;algo=ring"
    real = collective(tmp_path, "dgx-a100", what)
    for resource in ("launch", "synchronisation"):
        ideal = collective(tmp_path, "dgx-a100", what, "--ideal", resource)
        charged = real["lane_time_pct"][resource] / 100 * real["time_us"]
        assert 0.5 * charged <= real["time_us"] - ideal["time_us"] <= 1.1 * charged, resource
    # Links and threads work at the same time: each alone takes away some, both nearly all that is left.
    gone = [real["time_us"] - collective(tmp_path, "dgx-a100", what, *more)["time_us"]
            for more in (["--ideal", "links"], ["--ideal", "channels"], ["--ideal", "links", "--ideal", "channels"])]
    moving = sum(real["lane_time_pct"][k] for k in ("wire", "local", "wait_for_data")) / 100 * real["time_us"]
    assert 0 < gone[1] < gone[0] < gone[2] and gone[2] == pytest.approx(moving, rel=0.1)
    every = [x for r in ("launch", "synchronisation", "links", "channels") for x in ("--ideal", r)]
    text = fails(2, "run", "--system", "dgx-a100", "--workload", what, *every, "--out", tmp_path / "x")
    assert "nothing takes any time" in text
    assert "synchronisation" in fails(2, "run", "--system", "dgx-a100", "--workload", what, "--ideal", "synchronization",
                                      "--out", tmp_path / "x")


@pytest.mark.parametrize("system, what, within", [
    ("dgx-1-p100", "copy:bytes=4MiB;from=0;to=1", 0.01), ("dgx-1-v100", "all_reduce:bytes=1MiB", 0.01),
    ("hgx-a100-4", "all_to_all:bytes=1MiB", 0.03), ("dgx-a100", "all_reduce:bytes=1MiB;ranks=8", 0.03),
    ("dgx-h100", "all_reduce:bytes=4MiB;algo=ring", 0.03)])
def test_links_at_cycle_zoom_take_the_same_time(tmp_path, system, what, within):
    tile = collective(tmp_path, system, what)
    cycle = collective(tmp_path, system, what, "--zoom", "links")
    assert cycle["time_us"] == pytest.approx(tile["time_us"], rel=within)
    for r in rows(tmp_path / "c" / "links.csv"):
        assert float(r["busy_pct"]) <= 100 and int(r["replayed_bytes"]) == 0


def test_one_chip_s_links_in_a_waveform(tmp_path):
    what = "all_reduce:bytes=64KiB;algo=ring"
    text = run("run", "--system", "dgx-a100", "--workload", what, "--zoom", "chip0", "--vcd", "--out", tmp_path / "v")
    assert "waveform.vcd" in text
    wave = (tmp_path / "v" / "waveform.vcd").read_text()
    assert "$scope module chip0_nvswitch0_to_nvswitch5" in wave and "forward" in wave
    times = [int(line[1:]) for line in wave.splitlines() if line.startswith("#")]
    assert times == sorted(times) and times[-1] / 1e6 < 1.2 * summary_of(tmp_path / "v")["time_us"]
    for words, says in ((["--zoom", "chip9"], "no node of dgx-a100"), (["--vcd"], "no link is zoomed")):
        assert says in fails(2, "run", "--system", "dgx-a100", "--workload", what, *words, "--out", tmp_path / "x")


def test_layers_alike_are_simulated_once_and_take_as_long(tmp_path):
    s = divided(tmp_path, "r", "--parallel", "tp=1", "--dim", "layers=5")
    run("run", "--system", "a100-sxm-80gb", *LLAMA, "--dim", "layers=5", "--no-advice", "--trace", "none", "--out",
        tmp_path / "chip")
    assert s["compute_us"] == pytest.approx(summary_of(tmp_path / "chip")["time_us"], rel=0.015)


@pytest.mark.parametrize("system, what", [
    ("ascend-910-8p", "all_reduce:bytes=1000003;ranks=8"), ("pcie-8xl40s", "all_reduce:bytes=1000003;ranks=8"),
    ("dgx-1-v100", "all_reduce:bytes=1MiB"), ("superpod-h100", "all_gather:bytes=1MiB;ranks=64"),
    ("tpu-v2-pod", "all_reduce:bytes=1MiB"), ("dgx-h100", "all_gather:bytes=1MiB")])
def test_ranks_that_are_played_once_take_the_same_time(tmp_path, system, what):
    """To the picosecond; and what a link did, times the links that did the same, is what all links did."""
    once = collective(tmp_path, system, what)
    moved = [sum(int(r["data_bytes"]) * int(r["alike"]) for r in rows(tmp_path / "c" / "links.csv"))]
    every = collective(tmp_path, system, what, "--no-symmetry")
    moved.append(sum(int(r["data_bytes"]) for r in rows(tmp_path / "c" / "links.csv")))
    assert once["time_us"] == every["time_us"] and moved[0] == moved[1]


def test_stages_take_about_as_long(tmp_path):
    """GPipe's balance: stages of 8 layers are alike, those of a network without equal layers nearly."""
    divided(tmp_path, "l", "--parallel", "pp=4", "--dim", "layers=8")
    assert len({r["compute_us"] for r in rows(tmp_path / "l" / "ranks.csv")}) == 1
    run("run", "--system", "hgx-a100-4", "--workload", "resnet50", "--batch", 8, "--parallel", "pp=4", "--trace", "none",
        "--out", tmp_path / "n")
    times = [float(r["compute_us"]) for r in rows(tmp_path / "n" / "ranks.csv")]
    assert max(times) < 1.6 * min(times)


@pytest.mark.parametrize("words, says", [
    (["--workload", "cnn0", "--batch", 4, "--parallel", "tp=4"], "no products of activations and weights"),
    ([*LLAMA, "--parallel", "tp=2", "--cold"], "--cold: does nothing"),
    ([*LLAMA, "--parallel", "pp=2", "--host-copies"], "not with pp"),
    (["--workload", "all_reduce:bytes=1MiB", "--batch", 4], "--batch: does nothing"),
    (["--workload", "all_to_all:bytes=1MiB;algo=ring"], "every part goes where it belongs"),
    (["--workload", "gemm:m=64;n=64;k=64"], "an operator runs on one chip"),
    (["--workload", "all_reduce:bytes=1MiB;algo=foo"], "hierarchical")])
def test_what_has_no_effect_is_refused(tmp_path, words, says):
    text = fails(2, "run", "--system", "hgx-a100-4", *words, "--out", tmp_path / "x")
    assert says in text


def test_a_late_rank_delays_all_that_meet_in_the_switch(tmp_path):
    """The switch adds up what all ranks have: none is done before the last has begun (NCCL, RunAllReduce NVLS)."""
    for algorithm in ("nvls", "ring"):
        run("run", "--system", "dgx-h100", "--workload", f"all_reduce:bytes=64MiB;algo={algorithm};late_rank=3;late=500us",
            "--trace", "none", "--out", tmp_path / "l")
        lanes = rows(tmp_path / "l" / "lanes.csv")
        total = summary_of(tmp_path / "l")["time_us"]
        for rank in range(8):
            own = [r for r in lanes if int(r["rank"]) == rank]
            assert total - min(float(r["idle_us"]) for r in own) > 500, (algorithm, rank)


def test_chips_of_a_node_meet_in_its_switch(tmp_path):
    one = collective(tmp_path, "dgx-h100", "all_reduce:bytes=64MiB")
    of_many = collective(tmp_path, "superpod-h100", "all_reduce:bytes=64MiB;ranks=8")
    assert one["algorithm"] == of_many["algorithm"] == "nvls"
    assert of_many["time_us"] == pytest.approx(one["time_us"], rel=0.02)
