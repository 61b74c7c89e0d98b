# SPDX-License-Identifier: Apache-2.0
"""GPUs against measurements and published limits, through the command line."""
import json
import os

import pytest

from gpu_runs import siliscope, rows_of, cycles_per_step, errors_pct


def test_accuracy_on_the_tables_that_we_ship(tmp_path):
    """Mean absolute errors as the README says them, on every seventh and thirteenth row."""
    limits = {("gpu_gemm", "gemm"): 9, ("gpu_memory_bound", "elementwise"): 3}
    for table in ["gpu_gemm", "gpu_memory_bound"]:
        done = siliscope("validate", os.path.join("configs", "measurements", table + ".csv"),
                         "--out", str(tmp_path / table))
        assert done.returncode == 0, done.stderr
        for row in rows_of(tmp_path / table / "summary.csv"):
            limit = limits.get((table, row["op"]))
            if limit is not None:
                assert float(row["mape_pct"]) < limit, row
                assert float(row["mape_pct"]) < float(row["roofline_mape_pct"]) / 2, row


def test_a_pointer_chase_has_its_knees_where_caches_end(tmp_path):
    """L1, L2 and memory of V100 and A100. Just beyond the L2 (10 MB on V100) its replacement, which
    is not quite least recently used, still finds lines that the real one has lost."""
    for (chip, shape), error in errors_pct("gpu_chase.csv", tmp_path / "r").items():
        just_beyond = "bytes=10475520" in shape
        assert abs(error) < (20 if just_beyond else 8), (chip, shape)


def test_bandwidth_grows_with_resident_threads_as_measured(tmp_path):
    """Little's law on V100, fp64, a load a thread on its way. The measured card has stacks of four,
    so one rank. Mixed reads and writes within 8%; reads alone queue less than on the card."""
    errors = errors_pct("gpu_stream.csv", tmp_path / "r", "--set", "memory.ranks=1")
    for (_, shape), error in errors.items():
        bandwidth_error = 100 * (100 / (100 + error) - 1)
        assert abs(bandwidth_error) < (23 if "fn=read" in shape else 8), shape


def test_a_chase_shows_the_reach_of_both_translation_caches(tmp_path):
    """65,536 lines stay in L2, but lie on more pages of 2 MiB than the SM's 16 entries reach, then
    than the chip's: here 256 of them, so that every second load of 1 GiB walks the page table."""
    def chase(mib, *options):
        return cycles_per_step("a100-sxm-80gb", f"chase:bytes={mib << 20};loads=65536",
                               tmp_path / "c", "--launch", "kernel", *options)
    near = chase(16)
    assert near == pytest.approx(205, abs=2)
    assert chase(1024) == pytest.approx(near + 8, abs=2)
    few = ("--set", "sm.tlb.l2_entries=256", "--set", "sm.tlb.walk=1000")
    assert chase(256, *few) == pytest.approx(chase(256), abs=2)
    assert chase(1024, *few) == pytest.approx(near + 8 + 0.5 * 1000, rel=0.05)


def test_launches_cost_what_their_way_costs(tmp_path):
    """A graph's gap is shorter than a stream's, a framework's call longer than both."""
    def time_us(*options):
        out = tmp_path / "r"
        done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "resnet18",
                         "--no-advice", "--trace", "none", "--out", str(out), *options)
        assert done.returncode == 0, done.stderr
        with open(out / "summary.json", encoding="utf-8") as file:
            return json.load(file)["time_us"]
    kernel, graph = time_us("--launch", "kernel"), time_us("--launch", "graph")
    stream, eager = time_us("--launch", "stream"), time_us("--host", "pytorch-2")
    assert kernel < graph < stream < eager
    assert time_us("--lock-clock", "705 MHz") > 1.2 * graph


@pytest.mark.parametrize("chip,workload,options", [
    # One partition of the L2; writes that outrun the memory; a slow L2 (each ended in a fault).
    ("t4-16gb", "softmax:rows=3;cols=4096", ("--host-copies",)),
    ("p100-pcie-16gb", "gemm:m=7;n=9000;k=129", ("--host-copies",)),
    ("t4-16gb", "embedding:rows=10;cols=32;indices=100000", ()),
    ("v100-pcie-32gb", "embedding:rows=128;cols=64;indices=1000000", ()),
    ("h100-sxm-80gb", "gemm:m=129;n=127;k=1;batch=1000", ("--dtype", "tf32")),
    ("t4-16gb", "mobilenet_v2", ("--ideal", "launch")),
    ("a100-sxm-80gb", "mobilenet_v2", ("--set", "l2.clock=10 MHz")),
    ("v100-pcie-32gb", "resnet18", ("--set", "l2.slice_width=4")),
])
def test_no_level_moves_more_than_its_peak(tmp_path, chip, workload, options):
    done = siliscope("run", "--system", chip, "--workload", workload, "--no-advice", "--trace",
                     "none", "--out", str(tmp_path / "r"), *options)
    assert done.returncode == 0, done.stderr


def test_an_sm_does_no_more_than_its_peak_where_windows_are_skipped(tmp_path):
    """92,160 CTAs: those that are not played are spread evenly over the SMs."""
    done = siliscope("run", "--system", "a100-pcie-40gb", "--dtype", "fp32", "--workload",
                     "gemm:batch=160;m=3072;n=3072;k=256", "--no-advice", "--trace", "none", "--out",
                     str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
