# SPDX-License-Identifier: Apache-2.0
"""GPUs at cycle zoom: against tiles, traces, real values."""
import json
import math

import pytest

from gpu_runs import siliscope, rows_of, kernel_us


@pytest.mark.parametrize("workload,tolerance,options", [
    ("gemm:m=2048;n=2048;k=1024", 0.03, ()),
    ("gemm:m=2048;n=2048;k=4096", 0.01, ()),  # most steps of the tiles are skipped
    ("softmax:rows=1024;cols=2048", 0.03, ()),
    ("softmax:rows=4096;cols=1024", 0.03, ()),  # nine CTAs an SM, and 52 more
    ("softmax:rows=8192;cols=2048", 0.01, ("--ideal", "dram")),
    ("softmax:rows=8192;cols=2048", 0.03, ()),
    ("softmax:rows=2048;cols=512", 0.03, ()),
    ("elementwise:fn=relu;tensors=1;rows=4096;cols=4096", 0.03, ()),
    ("elementwise:fn=add;tensors=2;rows=4096;cols=4096", 0.03, ()),
    # Whole vectors of all threads, then what is left, element by element.
    ("softmax:rows=2592;cols=1600", 0.03, ("--dtype", "fp32")),
    ("softmax:rows=2592;cols=3072", 0.03, ("--dtype", "fp32")),
    ("layernorm:rows=4096;cols=1024", 0.03, ()),
    # The scales that one CTA has loaded stay in L1; the others wait for them, too.
    ("rmsnorm:rows=512;cols=8192", 0.03, ()),
    ("gemm:m=1;n=4096;k=4096", 0.03, ()),
    # A wave and a fifth: the oldest CTA of an SM goes first, so the others' places come free later.
    ("gemm:batch=16;m=256;n=1024;k=256", 0.03, ("--dtype", "fp32", "--kernel", "gemm_128x128")),
    ("transpose:rows=4096;cols=2048", 0.05, ("--dtype", "fp32")),
    ("embedding:rows=32000;cols=4096;indices=8192", 0.03, ()),
])
def test_whole_chip_at_cycle_zoom_takes_the_time_of_tiles(tmp_path, workload, tolerance, options):
    """Every warp instruction of 108 SMs against CTAs played from measured phases."""
    tiles = sum(kernel_us("a100-sxm-80gb", workload, tmp_path / "t", *options))
    cycles = sum(kernel_us("a100-sxm-80gb", workload, tmp_path / "c", "--zoom", "sms", *options))
    assert tiles == pytest.approx(cycles, rel=tolerance)


@pytest.mark.parametrize("chip,workload,options", [
    # Clusters of Hopper: multicast, arrivals at each other's barriers, several tiles a CTA.
    ("h100-sxm-80gb", "gemm:m=1024;n=1024;k=1024", ()),
    ("h100-sxm-80gb", "gemm:m=128;n=4096;k=4096", ()),
    ("h100-sxm-80gb", "gemm:m=16;n=4096;k=4096", ()),  # swapped, no cluster
    ("h100-sxm-80gb", "gemm:m=512;n=512;k=8192", ()),  # split
    ("h200-sxm-141gb", "gemm:m=3000;n=1500;k=2048", ()),
    ("h100-sxm-80gb", "gemm:m=2048;n=2048;k=2048", ("--dtype", "fp8")),
    ("h100-sxm-80gb", "gemm:m=2048;n=2048;k=2048", ("--dtype", "fp64")),
    ("a100-sxm-80gb", "gemm:m=1024;n=1024;k=1024", ("--dtype", "fp64")),
    ("v100-sxm2-16gb", "gemm:m=1024;n=1024;k=1024", ("--dtype", "fp16")),
    ("v100-sxm2-16gb", "gemm:m=512;n=512;k=512", ("--dtype", "fp32")),
    ("p100-pcie-16gb", "gemm:m=512;n=512;k=512", ("--dtype", "fp32")),
    ("t4-16gb", "gemm:m=512;n=512;k=512", ("--dtype", "fp32")),
    ("a100-pcie-40gb", "gemm:m=1024;n=1024;k=512", ("--dtype", "fp32")),
    ("h100-sxm-80gb", "gemm:m=1536;n=1536;k=256", ("--dtype", "fp32")),
    ("v100-sxm2-16gb", "softmax:rows=1024;cols=2048", ()),
    ("h100-sxm-80gb", "softmax:rows=1024;cols=2048", ()),
    ("p100-pcie-16gb", "elementwise:fn=relu;tensors=1;rows=2048;cols=2048", ()),
    ("t4-16gb", "elementwise:fn=relu;tensors=1;rows=2048;cols=2048", ()),
])
def test_tiles_of_other_chips_take_the_time_of_cycles(tmp_path, chip, workload, options):
    tiles = sum(kernel_us(chip, workload, tmp_path / "t", *options))
    cycles = sum(kernel_us(chip, workload, tmp_path / "c", "--zoom", "sms", *options))
    assert tiles == pytest.approx(cycles, rel=0.03)


def bytes_by_level(workload, out, *options):
    kernel_us("a100-sxm-80gb", workload, out, "--dtype", "bf16", *options)
    return {row["level"]: (int(row["read_bytes"]), int(row["write_bytes"]))
            for row in rows_of(out / "memory.csv") if row["level"] != "dram"}


@pytest.mark.parametrize("workload,l1_bytes", [
    # What a kernel loads through L1: 16-bit values, of a softmax's row three times.
    ("elementwise:fn=relu;tensors=1;rows=4096;cols=4096", (2 * 4096 * 4096, 2 * 4096 * 4096)),
    ("softmax:rows=1024;cols=2560", (3 * 2 * 1024 * 2560, 2 * 1024 * 2560)),
    ("rmsnorm:rows=512;cols=8192", (3 * 2 * 512 * 8192, 2 * 512 * 8192)),  # and scales
    ("transpose:rows=2048;cols=1024", (2 * 2048 * 1024, 2 * 2048 * 1024)),
    ("gemm:m=2048;n=2048;k=1024", (0, 2 * 2048 * 2048)),  # loads go past it into shared memory
])
def test_bytes_of_every_level_are_those_of_the_instructions(tmp_path, workload, l1_bytes):
    tiles = bytes_by_level(workload, tmp_path / "t")
    assert tiles["l1"] == l1_bytes
    assert tiles == bytes_by_level(workload, tmp_path / "c", "--zoom", "sms")


def test_trace_shows_warps_and_pipes_at_cycle_zoom(tmp_path):
    """Of the first SM, instruction by instruction: no warp issues twice at a time, no pipe takes an
    instruction before its interval is over, and a Tensor Core of A100 takes one every 8 cycles."""
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "gemm:m=512;n=512;k=512",
                     "--zoom", "sms", "--trace-time", "cycles", "--no-advice", "--out",
                     str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r" / "trace.json", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    tracks = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    slices = {}
    for e in events:
        if e["ph"] == "X" and e["pid"] in (5, 6):
            slices.setdefault((e["pid"], e["tid"]), []).append((e["ts"], e["dur"], e["name"]))
    names = {tracks[track] for track in slices}
    assert {"warp 0", "sub-core 0 tensor", "sub-core 3 memory"} <= names
    for track, found in slices.items():
        found.sort()
        for (begin, length, _), (following, _, _) in zip(found, found[1:]):
            assert begin + length <= following, tracks[track]
        if tracks[track].endswith("tensor"):
            assert {(length, name) for _, length, name in found} == {(8, "mma")}


@pytest.mark.parametrize("chip,workload,dtype", [
    ("a100-sxm-80gb", "gemm:m=512;n=512;k=512", "bf16"),
    ("a100-sxm-80gb", "gemm:m=256;n=256;k=256;sparsity=2:4", "fp16"),
    ("a100-sxm-80gb", "gemm:m=256;n=256;k=256", "int8"),
    ("a100-sxm-80gb", "gemm:m=256;n=256;k=256", "fp64"),
    ("v100-sxm2-16gb", "gemm:m=256;n=256;k=256;accumulate=fp16", "fp16"),
    ("h100-sxm-80gb", "gemm:m=512;n=512;k=512", "bf16"),
    ("h100-sxm-80gb", "gemm:m=4096;n=4096;k=256", "bf16"),
    ("h100-sxm-80gb", "gemm:m=256;n=256;k=256", "int8"),
])
def test_zoomed_tensor_cores_compute_real_values(tmp_path, chip, workload, dtype):
    """Of each tile (persistent CTAs walk several) a result is computed with values of the type."""
    done = siliscope("run", "--system", chip, "--workload", workload, "--dtype", dtype,
                     "--zoom", "sms", "--no-advice", "--out", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    tiles = math.prod(int(side) for side in rows_of(tmp_path / "r" / "kernels.csv")[0]["grid"].split("x"))
    assert f", {tiles} results of Tensor Cores within their precision" in done.stdout


def test_members_of_a_cluster_fetch_shared_operands_once(tmp_path):
    """Multicast (H100 whitepaper, "Asynchronous execution"): 2 x 2 CTAs read half of what they read
    alone, and both zooms count the same."""
    shape = "gemm:m=2048;n=2048;k=512"
    tile_bytes = (128 + 256) * 512 * 2  # of 128 x 256 results
    for zoom in ((), ("--zoom", "sms")):
        kernel_us("h100-sxm-80gb", shape, tmp_path / "r", *zoom)
        (kernel,) = rows_of(tmp_path / "r" / "kernels.csv")
        assert kernel["cluster"] == "2x2"
        l2 = {row["level"]: row for row in rows_of(tmp_path / "r" / "memory.csv")}["l2"]
        assert int(l2["read_bytes"]) == int(kernel["ctas"]) * tile_bytes // 2
        assert int(l2["write_bytes"]) == 2048 * 2048 * 2


@pytest.mark.parametrize("shape,tolerance", [
    ("gemm:m=1024;n=1024;k=4096", 0.03),  # three or four CTAs a tile
    ("gemm:m=2048;n=2048;k=2048", 0.03),  # CTAs finish one tile and begin another
    ("gemm:m=512;n=512;k=16384", 0.05),   # seven a tile: adding up takes a quarter of the time
])
def test_ctas_that_share_tiles_put_them_together_at_both_zooms(tmp_path, shape, tolerance):
    """Stream-K: whoever has a tile's first step waits for the sums of the others; each tile's
    products add up to the whole length, which the check of real values holds."""
    options = ("--set", "kernel_library.stream_k=true", "--set", "kernel_library.large_tile_rows=0",
               "--set", "lock_clock=1410 MHz")
    traffic = {}
    for zoom in ((), ("--zoom", "sms")):
        took = kernel_us("a100-sxm-80gb", shape, tmp_path / "r", *options, *zoom)
        (kernel,) = rows_of(tmp_path / "r" / "kernels.csv")
        assert "streamk" in kernel["kernel"]
        l2 = {row["level"]: row for row in rows_of(tmp_path / "r" / "memory.csv")}["l2"]
        traffic[zoom] = (sum(took), int(l2["read_bytes"]), int(l2["write_bytes"]))
    (tiles, tiles_read, tiles_written), (cycles, cycles_read, cycles_written) = traffic.values()
    assert tiles == pytest.approx(cycles, rel=tolerance)
    assert (tiles_read, tiles_written) == (cycles_read, cycles_written)


def test_half_precision_sums_are_for_half_precision_products(tmp_path):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload",
                     "gemm:m=64;n=64;k=64;accumulate=fp16", "--dtype", "bf16", "--out", str(tmp_path / "r"))
    assert done.returncode == 2 and "accumulate=fp16 is for products of fp16, not of bf16" in done.stderr
    done = siliscope("run", "--system", "tpu-v4", "--workload",
                     "gemm:m=64;n=64;k=64;accumulate=fp16", "--out", str(tmp_path / "r"))
    assert done.returncode == 2 and "accumulate=fp16 has no meaning" in done.stderr


def kernels_and_ctas(workload, out):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", workload, "--no-advice", "--out",
                     str(out))
    assert done.returncode == 0, done.stderr
    with open(out / "trace.json", encoding="utf-8") as file:
        events = [e for e in json.load(file)["traceEvents"] if e["ph"] == "X"]
    return [[e for e in events if e["cat"] == kind] for kind in ("kernel", "cta")]


def test_trace_shows_kernels_by_stream_and_ctas_on_sms(tmp_path):
    kernels, ctas = kernels_and_ctas("gemm:m=2048;n=2048;k=2048", tmp_path / "r")
    assert len(kernels) == 1 and len(ctas) == kernels[0]["args"]["ctas"]
    assert len({e["name"] for e in ctas}) == len(ctas)  # each tile once
    tracks = {}
    for e in ctas:
        tracks.setdefault(e["tid"], []).append((e["ts"], e["ts"] + e["dur"]))
    for spans in tracks.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-6 for a, b in zip(spans, spans[1:]))


def test_ctas_of_one_wave_last_as_long_as_their_kernel(tmp_path):
    """Though most of their steps are skipped: 108 tiles on 108 SMs."""
    kernels, ctas = kernels_and_ctas("gemm:m=13824;n=256;k=8192", tmp_path / "r")
    kernel = kernels[0]["dur"]
    lengths = [e["dur"] for e in ctas]
    assert len(lengths) == 108 and min(lengths) > 0.9 * kernel and max(lengths) <= kernel


def test_lanes_that_part_are_counted_and_cost_what_they_should(tmp_path):
    def active(system, work, *options):
        done = siliscope("run", "--system", system, "--workload", work, "--no-advice", "--trace", "none",
                         *options, "--out", str(tmp_path / "b"))
        assert done.returncode == 0, done.stderr
        return float(rows_of(tmp_path / "b" / "kernels.csv")[0]["active_lanes"])
    assert active("v100-sxm2-16gb", "branch:paths=1;work=512") == 32
    assert active("v100-sxm2-16gb", "branch:paths=32;work=512") < 1.5
    assert active("v100-sxm2-16gb", "branch:taken=50;work=512;threads=256") == pytest.approx(16.5, abs=1)
    assert active("v100-sxm2-16gb", "branch:taken=20;work=512;threads=256;ctas=80", "--set",
                  "sm.divergence=compaction") > 19


def test_register_traffic_falls_with_each_generation(tmp_path):
    """E30: 12 bytes a product on CUDA cores less what is reused; V100 to A100 a factor of 2.9 by the
    A100 whitepaper; E32: L2 traffic halves with the tile."""
    done = siliscope("figures", "E22", "E30", "E31", "E32", "--out", str(tmp_path / "f"))
    assert done.returncode == 0, done.stderr
    read = {r["label"]: float(r["register_bytes_per_mac"]) for r in rows_of(tmp_path / "f" / "E30.csv")}
    assert read["A100 CUDA"] > 5 * read["V100 TC"] > 10 * read["A100 TC"] > 50 * read["H100 TC"]
    level = {r["label"]: float(r["l2_bytes_per_mac"]) for r in rows_of(tmp_path / "f" / "E32.csv")}
    assert level["64x64"] == pytest.approx(2 * level["128x128"], rel=0.1)
    pipes = {r["track"] for r in rows_of(tmp_path / "f" / "E31.csv")}
    assert "sub-core 0 tensor" in pipes
    warps = rows_of(tmp_path / "f" / "E22.csv")
    assert len({r["track"] for r in warps}) == 16
    # E22: a lane adds an element a turn, a warp 32; 16 warps issue while others wait.
    def elements_per_ns(run, lanes):
        adds = sorted(float(r["begin_ns"]) for r in warps if r["run"].startswith(run) and
                      r["instruction"] == "fp32")
        return lanes * (len(adds) - 1) / (adds[-1] - adds[0])
    one, step, turn = (elements_per_ns(*run) for run in (("one thread", 1), ("one warp", 32),
                                                         ("16 warps", 32)))
    assert 4 * one < step <= 32 * one and 8 * step < turn <= 17 * step
    # E31, "8 cycles: V100 sub-core 1024 MAC vs A100 2048 MAC": gaps without a pause between.
    for run, gap_ns in (("V100, Tensor", 2 / 1.53), ("A100, Tensor", 8 / 1.41)):
        begins = sorted(float(r["begin_ns"]) for r in rows_of(tmp_path / "f" / "E31.csv")
                        if r["run"].startswith(run) and r["instruction"] == "mma")
        gaps = [b - a for a, b in zip(begins, begins[1:]) if b - a < 2 * gap_ns]
        assert len(gaps) > 20 and sum(gaps) / len(gaps) == pytest.approx(gap_ns, rel=0.06), run
