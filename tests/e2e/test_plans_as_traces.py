# SPDX-License-Identifier: Apache-2.0
"""Execution traces of stages, experts and divided tokens: written, and run again."""
from collections import Counter

import pytest
from test_cli import rows, run
from test_cluster import summary_of

LLAMA = ["--workload", "llama2_7b_layer", "--dtype", "fp16", "--seq", 64]
MIXTRAL = ["--workload", "mixtral_8x7b_layer", "--dtype", "fp16", "--seq", 16, "--batch", 4]


def exchanges(folder):
    """How often each rank meets others, and with how many bytes."""
    counts, sizes = Counter(), {}
    for node in rows(folder / "nodes.csv"):
        if node["kind"] != "compute":
            counts[int(node["rank"]), node["kind"]] += 1
            sizes.setdefault(node["kind"], set()).add(int(node["bytes"]))
    return counts, sizes


@pytest.mark.parametrize("words, met, size", [
    # GPipe: a stage sends the activations of each micro-batch to the next one.
    ([*LLAMA, "--batch", 2, "--dim", "layers=2", "--parallel", "pp=2,microbatches=2"],
     {(0, "send"): 2, (1, "receive"): 2}, 64 * 4096 * 2),
    # Korthikanti et al., 2022: two all-gathers and two reduce-scatters a layer and rank, of all tokens.
    ([*LLAMA, "--parallel", "tp=2,sp=on"],
     {(rank, op): 2 for rank in range(2) for op in ("all_gather", "reduce_scatter")}, 64 * 4096 * 2),
    # GShard: two all-to-alls a layer and rank, of the tokens times two experts.
    ([*MIXTRAL, "--parallel", "ep=4"], {(rank, "all_to_all"): 2 for rank in range(4)}, 16 * 2 * 4096 * 2)])
def test_a_trace_of_a_plan_takes_the_same_time_again(words, met, size, tmp_path):
    run("run", "--system", "hgx-a100-4", *words, "--trace", "chakra", "--out", tmp_path / "c")
    run("run", "--system", "hgx-a100-4", "--workload", tmp_path / "c" / "trace.0.et", "--trace", "chakra", "--out",
        tmp_path / "again")
    first, again = summary_of(tmp_path / "c"), summary_of(tmp_path / "again")
    assert again["time_us"] == pytest.approx(first["time_us"], rel=1e-3)
    for part in ("compute_us", "communication_us", "waiting_us"):
        assert again[part] == pytest.approx(first[part], rel=1e-3, abs=0.1), part
    counts, sizes = exchanges(tmp_path / "again")
    assert dict(counts) == met and all(of_kind == {size} for of_kind in sizes.values())
    # What was read is written again: nothing is lost.
    run("run", "--system", "hgx-a100-4", "--workload", tmp_path / "again" / "trace.0.et", "--trace", "none", "--out",
        tmp_path / "third")
    assert exchanges(tmp_path / "third") == (counts, sizes)
    assert summary_of(tmp_path / "third")["time_us"] == again["time_us"]


def test_groups_or_ranks_that_are_damaged(tmp_path):
    run("run", "--system", "hgx-a100-4", *LLAMA, "--parallel", "tp=2,sp=on", "--trace", "chakra", "--out", tmp_path / "c")
    again = ["run", "--system", "hgx-a100-4", "--workload", tmp_path / "c" / "trace.0.et", "--out", tmp_path / "o"]
    groups = (tmp_path / "c" / "trace.groups.json").read_text()
    for damaged, says in ((groups[:-2], "trace.groups.json"), ("[]", "trace.groups.json"),
                          (groups.replace("0", "7"), "rank 7 is in group")):
        (tmp_path / "c" / "trace.groups.json").write_text(damaged)
        assert says in run(*again, code=2), damaged
    (tmp_path / "c" / "trace.groups.json").write_text(groups)
    whole = (tmp_path / "c" / "trace.1.et").read_bytes()
    (tmp_path / "c" / "trace.1.et").write_bytes(whole[:len(whole) // 2])
    assert "trace.1.et" in run(*again, code=2)
    (tmp_path / "c" / "trace.1.et").unlink()
    text = run(*again, code=2)
    assert "rank 1" in text or "1 ranks" in text or "trace.1.et" in text, text
    assert not (tmp_path / "o").exists()
