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


def run_on(chip, workload, out, *options):
    done = siliscope("run", "--system", chip, "--workload", workload, "--no-advice", "--trace",
                     "none", "--out", str(out), *options)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "summary.json").read_text())


def test_a_network_runs_on_one_core_near_its_peak(tmp_path):
    """Direct convolutions of ResNet-18 are bound by the multiply-add units (Georganas et al., SC
    2018, report 70 to 90% of the peak)."""
    summary = run("resnet18", tmp_path / "r")
    assert 60 < summary["compute_util_pct"] < 105  # of operations that include padding
    assert sum(summary["array_time_pct"].values()) == pytest.approx(100, abs=0.1)


def test_more_cores_are_faster_but_not_in_proportion(tmp_path):
    conv = "conv2d:n=4;c=64;h=28;w=28;out_c=128;kh=3;kw=3;pad_h=1;pad_w=1"
    times = {n: run_on("epyc-7742", conv, tmp_path / f"c{n}", "--set", f"cores={n}")["time_us"]
             for n in (1, 8, 32)}
    assert 5 < times[1] / times[8] <= 8.1
    assert 8 < times[1] / times[32] <= 32
    units = rows_of(tmp_path / "c8" / "units.csv")
    assert len(units) == 8 and all(float(u["synchronisation_us"]) >= 0 for u in units)


def test_turns_that_are_played_on_many_cores_take_the_time_of_every_micro_operation(tmp_path):
    conv = "conv2d:n=1;c=128;h=28;w=28;out_c=128;kh=3;kw=3;pad_h=1;pad_w=1"
    few = ("--set", "cores=8")
    tiles = run_on("epyc-7742", conv, tmp_path / "t", *few)
    cycles = run_on("epyc-7742", conv, tmp_path / "c", *few, "--zoom", "core0")
    assert tiles["time_us"] == pytest.approx(cycles["time_us"], rel=0.06)


def test_wide_vectors_slow_the_clock(tmp_path):
    """Licences: 28 cores that multiply in 512 bits run at 2.4 GHz instead of 3.3 (Intel,
    Specification Update of Scalable Processors)."""
    product = run_on("xeon-8280", "gemm:m=512;n=512;k=512", tmp_path / "g")
    chase = run_on("xeon-8280", "chase:bytes=16384;loads=4096", tmp_path / "c")
    assert product["clock_mhz"] == pytest.approx(2400)
    assert chase["clock_mhz"] == pytest.approx(3300)


@pytest.mark.parametrize("dtype,factor", [("bf16", 4), ("int8", 8)])
def test_the_matrix_unit_multiplies_narrow_types(tmp_path, dtype, factor):
    """AMX has 16 and 32 times the peak of fp32; packing and few cores leave a part of it."""
    gemm = "gemm:m=512;n=512;k=1024"
    few = ("--set", "cores=2")
    wide = run_on("xeon-8480", gemm, tmp_path / "w", *few, "--dtype", "fp32")["time_us"]
    narrow = run_on("xeon-8480", gemm, tmp_path / "n", *few, "--dtype", dtype)["time_us"]
    assert factor < wide / narrow < 4 * factor


@pytest.mark.parametrize("chip,course_pct,peak_gb_per_s", [
    ("epyc-7742", 0.0643, 204), ("xeon-8280", 0.137, 131)])
def test_a_serial_axpy_leaves_the_bus_idle(tmp_path, chip, course_pct, peak_gb_per_s):
    """One element of 16 bytes in each latency (course, 01Works: 0.064 and 0.14%); a core with its
    window has more under way."""
    axpy = "stream:fn=axpy;elements=2000;access=scalar;unroll=1;stride=4096"
    common = ("--set", "cores=1", "--set", "l1.prefetch_lines=0", "--set", "l2.prefetch_lines=0", "--cold",
              "--dtype", "fp64")
    serial = run_on(chip, axpy, tmp_path / "s", *common, "--set", "core.in_order=true")["time_us"]
    used_pct = 2000 * 16 / serial / 1e3 / peak_gb_per_s * 100
    assert used_pct == pytest.approx(course_pct, rel=0.10)
    assert run_on(chip, axpy, tmp_path / "o", *common)["time_us"] < serial / 3


@pytest.mark.parametrize("tile,lines", [(16, 128 * 128 + 128), (128, 128 * 16 + 128), (512, 128 * 4 + 128),
                                        (2048, 2048 * 128)])
def test_tiles_decide_what_the_first_cache_misses(tmp_path, tile, lines):
    """A[i] += B[j]: n m / (T b) + m / b lines where a tile of j fits, else n m / b (course,
    04LoopOpt; 16 elements a line, 2048 each)."""
    run_on("xeon-8280", f"loops:rows=2048;cols=2048;tile_cols={tile}", tmp_path / "l", "--set", "cores=1",
           "--set", "l1.size=4 KiB", "--set", "l1.prefetch_lines=0", "--set", "l2.prefetch_lines=0", "--zoom",
           "core0")
    levels = {row["level"]: row for row in rows_of(tmp_path / "l" / "memory.csv")}
    assert int(levels["l2"]["read_bytes"]) / 64 == pytest.approx(lines, rel=0.02)


def test_stores_past_the_caches_fetch_no_lines(tmp_path):
    copy = "stream:fn=copy;elements=4194304"
    fetched = {}
    for stores in ("allocate", "non_temporal"):
        run_on("xeon-8280", f"{copy};stores={stores}", tmp_path / stores, "--cold", "--set", "cores=4")
        levels = {row["level"]: row for row in rows_of(tmp_path / stores / "memory.csv")}
        fetched[stores] = int(levels["dram"]["read_bytes"])
    assert fetched["allocate"] == pytest.approx(2 * fetched["non_temporal"], rel=0.01)


def test_all_cores_share_what_the_channels_give(tmp_path):
    """Intel's STREAM triad on two sockets of DDR4-2666: 199 of 256 GB/s (AnandTech, "Intel Skylake-SP
    versus AMD EPYC 7000", 2017, memory subsystem)."""
    triad = "stream:fn=triad;elements=20000000;stores=non_temporal"
    time_us = run_on("xeon-8180", triad, tmp_path)["time_us"]
    assert 3 * 4 * 20e6 / time_us / 1e3 == pytest.approx(199 / 2, rel=0.12)


def test_algorithms_of_convolutions(tmp_path):
    """Winograd's F(4x4, 3x3) multiplies a quarter as often (Lavin and Gray, CVPR 2016); windows that
    are copied out take longer than those that are not."""
    conv = "conv2d:n=1;c=64;h=56;w=56;out_c=64;kh=3;kw=3;pad_h=1;pad_w=1"
    times = {a: run(conv, tmp_path / a, "--set", f"matrix_library.convolution={a}")["time_us"]
             for a in ("direct", "im2col", "winograd")}
    assert 2 < times["direct"] / times["winograd"] < 4
    assert 1 < times["im2col"] / times["direct"] < 2


def test_micro_operations_are_traced(tmp_path):
    done = siliscope("run", "--system", CHIP, "--workload", "stream:fn=axpy;elements=1024", "--no-advice", "--out",
                     str(tmp_path / "t"))
    assert done.returncode == 0, done.stderr
    events = [e for e in json.loads((tmp_path / "t" / "trace.json").read_text())["traceEvents"]
              if e.get("cat") == "micro_op"]
    assert {"load", "fma", "store", "runs"} <= {e["name"] for e in events}
    assert all(e["dur"] >= 0 for e in events)


def test_edvac_multiplies_in_its_time(tmp_path):
    """2900 us a multiplication and 864 us an addition."""
    summary = run_on("edvac", "gemm:m=4;n=4;k=16", tmp_path / "e")
    assert 0.9 < summary["time_us"] / (4 * 4 * 16 * (2900 + 864)) < 2.5


def test_this_machine_is_measured(tmp_path):
    done = siliscope("measure-cpu", "--out", str(tmp_path / "m"))
    assert done.returncode == 0, done.stderr
    assert "clock" in done.stdout and "latency" in done.stdout
    rows = rows_of(tmp_path / "m" / "measured.csv")
    assert len([r for r in rows if r["op"] == "chase"]) == 13
    assert siliscope("check", str(tmp_path / "m" / "measured.yaml")).returncode == 0
    few = tmp_path / "few.csv"
    lines = (tmp_path / "m" / "measured.csv").read_text().splitlines()
    few.write_text("\n".join(lines[:4]) + "\n")
    compared = siliscope("validate", str(few), "--out", str(tmp_path / "v"))
    assert compared.returncode == 0, compared.stderr
    assert "3 rows compared, 0 failed" in compared.stdout


@pytest.mark.parametrize("setting,says", [
    ("core.ports.alu0=walk", "not a class of micro-operations"),
    ("core.ports.load0=integer", None),  # one port of loads is left
    ("l1.ways=5", "no multiple of ways"),
    ("numa.nodes=2", "not divided by 2 nodes"),
    ("matrix_library.convolution=fft", "direct, im2col, winograd"),
])
def test_cores_that_cannot_be_built_are_refused(tmp_path, setting, says):
    done = siliscope("run", "--system", CHIP, "--workload", "chase:bytes=4096;loads=64", "--set", setting,
                     "--no-advice", "--out", str(tmp_path / "r"))
    assert done.returncode == (2 if says else 0)
    assert says is None or says in done.stderr


def test_a_network_on_the_core_whose_library_was_measured(tmp_path):
    """Its convolutions' arrays are aligned, as frameworks align theirs; only arrays that are handed to
    the matrix library lie where an allocator puts them. No operator is above a roof (else it fails)."""
    run("resnet50", tmp_path / "r")
    assert len(rows_of(tmp_path / "r" / "operators.csv")) > 50
