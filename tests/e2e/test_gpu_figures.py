# SPDX-License-Identifier: Apache-2.0
"""What the course's experiments on GPUs state, in the data behind their figures. Those that take long
are run here with fewer points."""
import math

import pytest

from gpu_runs import siliscope, rows_of, kernel_us, cycles_per_step


@pytest.fixture(name="figures")
def fixture_figures(request, tmp_path):
    """A folder with the figure of the experiment in the test's name."""
    out = tmp_path / "f"
    done = siliscope("figures", request.function.__name__.split("_")[1].upper(), "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


def column(figures, name, key, value):
    return {row[key]: float(row[value]) for row in rows_of(figures / f"{name}.csv")}


def test_e04_bandwidth_grows_with_warps_until_the_memory_is_full(figures):
    """"sweep resident warps/SM, find knee ~ 39,264 threads (~ 364 threads/SM, 11.4 warps/SM)" of
    1555 GB/s: below the knee twice the warps are about twice the bandwidth, beyond it nothing."""
    reached = {int(x): v for x, v in column(figures, "E04", "x", "tensor_gb_per_s").items()}
    assert 1.6 * reached[4] < reached[8] <= 2.05 * reached[4]
    # 32 threads of 32 bytes a warp on 108 SMs, over 404 ns; two thirds of the bytes are read.
    assert reached[4] * 2 / 3 < 4 * 32 * 32 * 108 / 404
    assert reached[12] > 1.1 * reached[8]
    for warps in (24, 32, 64):
        assert reached[warps] == pytest.approx(reached[16], rel=0.03)
        assert 0.85 * 1555 < reached[warps] < 1555


def test_e06_more_warps_fill_more_issue_slots(figures):
    """"64 warps/SM, 4 active, 60 waiting": what waits leaves its slots to others."""
    rows = rows_of(figures / "E06.csv")
    assert [row["label"] for row in rows] == [f"{w} warps" for w in (4, 8, 16, 32, 64)]
    slots = [name for name in rows[0] if name.endswith("_pct")]
    for row in rows:
        assert sum(float(row[s]) for s in slots) == pytest.approx(100, abs=0.1)
    for before, after in zip(rows, rows[1:]):
        assert float(after["selected_pct"]) > float(before["selected_pct"])
        assert float(after["long_scoreboard_pct"]) < float(before["long_scoreboard_pct"])
        assert float(after["time_us"]) < float(before["time_us"])
    assert float(rows[-1]["selected_pct"]) < 50  # most of the 64 wait


def test_e08_the_l2_has_several_times_the_bandwidth_of_the_memory(figures):
    """"L1 13x/L2 3x HBM bandwidth": 2039 GB/s here; a launch takes a part of the small ones."""
    reached = {int(x): v for x, v in column(figures, "E08", "x", "tensor_gb_per_s").items()}
    largest = reached[65536]
    assert 0.75 * 2039 < largest < 2039
    assert 2 < max(reached.values()) / largest < 3.6
    assert max(reached, key=reached.get) * 8 / 1024 < 40  # MiB, read and written
    for rows in (8192, 16384, 32768):  # 64 MiB and more
        assert reached[rows] == pytest.approx(largest, rel=0.1)


def test_e34_a_tile_more_than_the_sms_takes_adds_a_wave(figures):
    """"utilisation sawtooth vs N (quantisation effect); tile quantisation/wave quantisation": 16 x
    n / 128 tiles of 256 x 128 on 108 SMs."""
    times = {int(x): v for x, v in column(figures, "E34", "x", "time_us").items()}
    sizes = sorted(times)
    def waves(n):
        return math.ceil(16 * n / 128 / 108)
    assert [waves(n) for n in (1664, 1792, 2560, 2688)] == [2, 3, 3, 4]
    for n, following in zip(sizes, sizes[1:]):
        step = times[following] / times[n]
        if waves(following) > waves(n):
            assert step > 1 + 0.6 / waves(n), following
        else:
            assert 1 <= step < 1.04, following


def test_e37_slices_win_small_batches_and_lose_large_ones(figures):
    """"MIG: 7 isolated slices": of 14 of the 108 SMs and an eighth of the memory each."""
    rate = column(figures, "E37", "label", "samples_per_s")
    assert 7 * rate["slice, 1"] > 1.5 * rate["whole, 1"]
    assert 7 * rate["slice, 32"] < rate["whole, 32"]
    for batch in (1, 8, 32):
        assert rate[f"slice, {batch}"] > rate[f"whole, {batch}"] / 8 * 0.98


def test_e05_levels_of_an_a100(tmp_path):
    """Course table, GB/s and ns: L1 19,400 and 27, L2 4,000 and 150, HBM 1,555 and 404, PCIe 25;
    "L2 BW = 3x HBM, L1 = 13x HBM; latency L2 = 5x L1, HBM = 15x L1"; threads = BW x latency / 16 B,
    39,264 of HBM. Less than the L2 keeps a random chase through 256 MiB in memory."""
    chip = "a100-sxm-40gb"

    def gb_per_s(workload, moved, dtype="fp64"):
        took = kernel_us(chip, workload, tmp_path / "b", "--dtype", dtype, "--launch", "kernel")
        return moved / took[0] / 1e3

    def ns(workload, *options):
        return cycles_per_step(chip, workload, tmp_path / "l", "--launch", "kernel", *options) / 1.41
    l1 = gb_per_s("stream:fn=read;elements=2048;ctas=108;threads=256;unroll=8;rounds=64",
                  2048 * 8 * 108 * 64)
    l2 = gb_per_s("stream:fn=read;elements=131072;ctas=108;threads=256;unroll=8;rounds=1",
                  131072 * 8 * 108)
    hbm = gb_per_s("stream:fn=read;elements=8388608;ctas=864;threads=256;unroll=8", 8388608 * 8)
    assert l1 == pytest.approx(19400, rel=0.15)
    assert hbm == pytest.approx(1555, rel=0.05)
    assert 10 < l1 / hbm < 14 and 2.5 < l2 / hbm < 3.6
    assert gb_per_s("host_copy:bytes=67108864", 67108864, "bf16") == pytest.approx(25, rel=0.1)
    near = ns("chase:bytes=65536;loads=65536")
    middle = ns("chase:bytes=1048576;loads=65536")
    far = ns("chase:bytes=268435456;loads=65536", "--set", "l2.size=1 MiB")
    assert near == pytest.approx(27, rel=0.15)
    assert middle == pytest.approx(150, rel=0.1)
    assert far == pytest.approx(404, rel=0.1)
    assert hbm * far / 16 == pytest.approx(39264, rel=0.12)


def test_e23_threads_make_warps(tmp_path):
    """"32,000 iterations/32 = 1,000 warps"."""
    kernel_us("v100-sxm2-16gb", "stream:fn=add;elements=32000;threads=128", tmp_path / "r", "--dtype",
              "fp32")
    (kernel,) = rows_of(tmp_path / "r" / "kernels.csv")
    assert int(kernel["ctas"]) * int(kernel["warps"]) == 1000


def test_e24_paths_serialise_and_merged_warps_fill_idle_lanes(tmp_path):
    """"two paths serialise; merging warps fills idle lanes": arithmetic takes twice as long where
    lanes part, however paths are served, but where lanes of several warps are gathered."""
    def branch(divergence, work):
        took = kernel_us("v100-sxm2-16gb", "branch:threads=256;" + work, tmp_path / "r", "--launch",
                         "kernel", "--set", f"sm.divergence={divergence}")[0]
        return took, float(rows_of(tmp_path / "r" / "kernels.csv")[0]["active_lanes"])

    def arithmetic(divergence, taken):  # what 128 operations more take
        long, lanes = branch(divergence, f"ctas=640;work=192;taken={taken}")
        return long - branch(divergence, f"ctas=640;work=64;taken={taken}")[0], lanes
    together, all_lanes = arithmetic("stack", 0)
    assert all_lanes == 32
    apart, some_lanes = arithmetic("stack", 10)
    assert apart == pytest.approx(2 * together, rel=0.1) and some_lanes < 18
    assert arithmetic("independent", 10)[0] == pytest.approx(2 * together, rel=0.1)
    gathered, more_lanes = arithmetic("compaction", 10)
    assert together < gathered < 0.9 * apart and more_lanes > 1.2 * some_lanes
    loads = "ctas=80;work=16;loads=16;taken=50"
    assert branch("independent", loads)[0] < 0.7 * branch("stack", loads)[0]  # they wait side by side


def test_e35_types_differ_by_their_peaks_where_products_bind_else_by_their_bytes(tmp_path):
    """"A100 INT8 624 vs FP16 312 vs TF32 156 vs FP32 19.5": two whole waves; and 16 rows, whose
    weights bind."""
    def times(shape, types):
        return {t: sum(kernel_us("a100-sxm-80gb", shape, tmp_path / "r", "--dtype", t)) for t in types}
    large = times("gemm:m=2048;n=3456;k=4096", ("int8", "bf16", "tf32", "fp32"))
    operations = 2 * 2048 * 3456 * 4096 / 1e6
    for dtype, peak in {"int8": 624, "bf16": 312, "tf32": 156, "fp32": 19.5}.items():
        assert 0.8 * peak < operations / large[dtype] < peak, dtype
    small = times("gemm:m=16;n=8192;k=8192", ("int8", "bf16", "tf32"))
    for dtype, size in {"int8": 1, "bf16": 2, "tf32": 4}.items():
        assert small[dtype] > 8192 * 8192 * size / 2039e3
        assert small[dtype] == pytest.approx(size * small["int8"], rel=0.1)


def test_e36_sparse_weights_gain_where_products_or_bytes_bind(tmp_path):
    """"ideal 2x when compute-bound, less when bandwidth-bound": 2:4 keeps half of the values and two
    bits of index for each, 9 of 16 bits; a product that is small gains nearly nothing."""
    def gain(shape):
        return (sum(kernel_us("a100-sxm-80gb", shape, tmp_path / "d")) /
                sum(kernel_us("a100-sxm-80gb", shape + ";sparsity=2:4", tmp_path / "s")))
    assert 1.6 < gain("gemm:m=4096;n=4096;k=4096") <= 2
    assert 1.4 < gain("gemm:m=16;n=8192;k=8192") < 1.1 * 16 / 9
    assert 0.9 < gain("gemm:m=512;n=512;k=512") < 1.2
