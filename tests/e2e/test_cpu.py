# SPDX-License-Identifier: Apache-2.0
"""CPUs through the command line: measured memory, products, what is said of them."""
import json

import pytest

from gpu_runs import errors_pct, rows_of, siliscope

CHIP = "zen5-avx512-1core"


def run(workload, out, *options):
    done = siliscope("run", "--system", CHIP, "--workload", workload, "--no-advice", "--trace",
                     "none", "--out", str(out), *options)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "summary.json").read_text())


def test_memory_is_as_fast_as_measured(tmp_path):
    """Latency by working set within 10%; bandwidth within 15%, but for copies that go to memory."""
    errors = errors_pct("cpu_memory.csv", tmp_path / "v")
    for (_, shape), error in errors.items():
        if shape.startswith("bytes"):
            assert abs(error) < 10, shape
        elif shape != "fn=scale;elements=8388608;rounds=2":
            assert abs(error) < 15, shape


def test_a_product_runs_near_the_peak_and_its_causes_sum(tmp_path):
    summary = run("gemm:m=192;n=192;k=192", tmp_path / "r")
    assert 0.8 < summary["compute_util_pct"] / 100 < 1
    assert sum(summary["array_time_pct"].values()) == pytest.approx(100, abs=0.1)
    levels = {row["level"]: row for row in rows_of(tmp_path / "r" / "memory.csv")}
    assert list(levels) == ["dram", "l3", "l2", "l1"]
    assert int(levels["l1"]["read_bytes"]) > int(levels["l2"]["read_bytes"]) > 0


@pytest.mark.parametrize("workload", ["gemm:m=256;n=256;k=256", "gemm:m=16;n=1024;k=512"])
def test_turns_that_repeat_take_the_time_of_every_micro_operation(tmp_path, workload):
    """Tile zoom against cycle zoom."""
    tiles = run(workload, tmp_path / "t")
    cycles = run(workload, tmp_path / "c", "--zoom", "core0")
    assert tiles["time_us"] == pytest.approx(cycles["time_us"], rel=0.03)


def test_a_thin_product_takes_longer_than_its_weights(tmp_path):
    """A library packs the weights in every call (mechanism: OpenBLAS, interface/gemm.c)."""
    one = run("gemm:m=1;n=1024;k=1024", tmp_path / "a")["time_us"]
    two = run("gemm:m=2;n=1024;k=1024", tmp_path / "b")["time_us"]
    assert two > 1.5 * one


def test_what_does_not_run_yet_is_named(tmp_path):
    done = siliscope("run", "--system", CHIP, "--workload", "resnet18", "--out", str(tmp_path / "r"))
    assert done.returncode == 2
    assert "no code of a CPU" in done.stderr and "conv" in done.stderr


@pytest.mark.parametrize("setting,says", [
    ("core.ports.alu0=walk", "not a class of micro-operations"),
    ("core.ports.load0=integer", None),  # one port of loads is left
    ("l1.ways=5", "no multiple of ways"),
])
def test_cores_that_cannot_be_built_are_refused(tmp_path, setting, says):
    done = siliscope("run", "--system", CHIP, "--workload", "chase:bytes=4096;loads=64", "--set", setting,
                     "--no-advice", "--out", str(tmp_path / "r"))
    assert done.returncode == (2 if says else 0)
    assert says is None or says in done.stderr
