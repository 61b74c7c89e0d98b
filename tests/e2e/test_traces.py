# SPDX-License-Identifier: Apache-2.0
"""Execution traces of many ranks, Chakra's, and networks of ASTRA-sim."""
import json
import os
import struct

import pytest
import yaml
from test_cli import ROOT, rows, run
from test_parallel import LLAMA, divided, fails, summary_of


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
    ([[node(1, COMPUTE, [1])]], "circle"),
    ([[node(1, COMPUTE, [9])]], "waits for node 9"),
    # Each begins with what the other does second.
    ([[node(1, COLLECTIVE, comm_type=kind, comm_size=8), node(2, COLLECTIVE, [1], comm_type=2 - kind, comm_size=8)]
      for kind in (0, 2)], "rank 0 has all_reduce"),
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
    ([[node(1, 0)]], "type 0 is none of Chakra's"),
    ([[node(1, 1)]], "no node of it takes any time"),
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


def test_a_missing_file_of_a_rank_is_named(tmp_path):
    path = write_trace(tmp_path / "t", [[node(1, COLLECTIVE, comm_type=0, comm_size=8, pg_name="5")]])
    (tmp_path / "t" / "t.groups.json").write_text('{"5": [0, 1]}')
    text = fails(2, "run", "--system", "hgx-a100-4", "--workload", path, "--out", tmp_path / "o")
    assert "t.1.et: no such file, but rank 1 is in group 5" in text and text.count("\n") == 1


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
    # What is known there and has no effect here is said.
    files = astra(tmp_path, NETWORK.format("FullyConnected", 8, 50.0, 500.0), {"scheduling-policy": "LIFO", "L": 3})
    text = run("run", "--system", files, "--workload", "all_reduce:bytes=1MiB", "--trace", "none", "--out", tmp_path / "o")
    assert "s.json: without effect here: L, scheduling-policy\n" in text
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
