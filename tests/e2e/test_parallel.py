# SPDX-License-Identifier: Apache-2.0
"""Networks divided over the chips of a system, hierarchical collectives, work beside them."""
import json
import os

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


def collective(tmp_path, system, what, *more):
    run("run", "--system", system, "--workload", what, "--trace", "none", *more, "--out", tmp_path / "c")
    return summary_of(tmp_path / "c")


def test_steps_at_doubling_distances(tmp_path):
    """log2(n) steps: faster than n - 1 where latency counts, slower where neighbours' links do (Thakur et al., 2005)."""
    for algorithm in ("halving_doubling", "pat"):
        small = [collective(tmp_path, "superpod-h100", f"all_gather:bytes=64KiB;ranks=64;algo={a};protocol=simple")["time_us"]
                 for a in (algorithm, "ring")]
        large = [collective(tmp_path, "superpod-h100", f"all_gather:bytes=256MiB;ranks=64;algo={a};protocol=simple")["time_us"]
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


def test_an_operator_beside_a_collective_shares_the_memory_with_it(tmp_path):
    """What streams is slower than by the SMs that it loses: 24 of 108, while it needs few of them."""
    run("run", "--system", "dgx-a100", "--workload",
        "all_gather:bytes=256MiB+elementwise:fn=add;tensors=2;rows=8192;cols=4096", "--dtype", "fp16", "--out",
        tmp_path / "r")
    parts = {p["name"]: p for p in json.loads((tmp_path / "r" / "summary.json").read_text())["parts"]}
    add = parts["elementwise"]
    run("run", "--system", "a100-sxm-40gb", "--workload", "elementwise:fn=add;tensors=2;rows=8192;cols=4096", "--dtype",
        "fp16", "--set", "sms=84", "--no-advice", "--out", tmp_path / "s")
    fewer = json.loads((tmp_path / "s" / "summary.json").read_text())["time_us"]
    assert fewer == pytest.approx(add["alone_us"], rel=0.1)
    assert 1.15 * fewer < add["beside_us"] < 2.5 * fewer


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
    moving = sum(real["lane_time_pct"][k] for k in ("write", "wire", "local", "wait_for_data")) / 100 * real["time_us"]
    assert 0 < gone[1] < gone[0] < gone[2] and gone[2] == pytest.approx(moving, rel=0.1)
    every = [x for r in ("launch", "synchronisation", "links", "channels") for x in ("--ideal", r)]
    text = fails(2, "run", "--system", "dgx-a100", "--workload", what, *every, "--out", tmp_path / "x")
    assert "nothing takes any time" in text
    assert "synchronisation" in fails(2, "run", "--system", "dgx-a100", "--workload", what, "--ideal", "synchronization",
                                      "--out", tmp_path / "x")


@pytest.mark.parametrize("system, what", [("dgx-1-v100", "all_reduce:bytes=64MiB;algo=ring"),
                                          ("dgx-a100", "all_gather:bytes=64MiB")])
def test_ideal_links_take_away_what_was_charged_to_them(tmp_path, system, what):
    real, ideal = collective(tmp_path, system, what), collective(tmp_path, system, what, "--ideal", "links")
    charged = real["lane_time_pct"]["wire"] / 100 * real["time_us"]
    assert 0.5 * charged <= real["time_us"] - ideal["time_us"] <= 1.1 * charged
    assert ideal["lane_time_pct"]["wire"] < 1


@pytest.mark.parametrize("system, what, within", [
    ("dgx-1-p100", "copy:bytes=4MiB;from=0;to=1", 0.01), ("dgx-1-v100", "all_reduce:bytes=1MiB", 0.01),
    ("hgx-a100-4", "all_to_all:bytes=1MiB", 0.03), ("dgx-a100", "all_reduce:bytes=1MiB;ranks=8", 0.01),
    ("dgx-a100", "all_gather:bytes=2MiB;ranks=8", 0.015), ("dgx-a100", "reduce_scatter:bytes=4MiB;ranks=8", 0.015),
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
    assert "$scope module chip0_nvswitch0" in wave and "forward" in wave
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
