# SPDX-License-Identifier: Apache-2.0
"""Kernels of GPUs through the command line: bytes, splits, groups, streams, and what few of a
resource do to them."""
import json
import os

import pytest

from gpu_runs import siliscope, rows_of, kernel_us, cycles_per_step

L2_BYTES = {"v100-sxm2-16gb": 6 << 20, "a100-sxm-80gb": 40 << 20, "h100-sxm-80gb": 50 << 20}


def level_bytes(out, level):
    row = next(r for r in rows_of(out / "memory.csv") if r["level"] == level)
    return int(row["read_bytes"]), int(row["write_bytes"])


def summary(out):
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("chip", ["v100-sxm2-16gb", "a100-sxm-80gb"])
def test_a_copy_writes_to_memory_what_the_l2_cannot_hold(tmp_path, chip):
    """A write-back cache: a copy that fits writes nothing, one far larger its bytes, less what
    stays, plus what the call before has left (at most the L2 each)."""
    def copy(mib):
        kernel_us(chip, f"elementwise:fn=relu;tensors=1;rows={mib * 512};cols=1024", tmp_path / "r",
                  "--dtype", "fp16", "--launch", "kernel")
        return level_bytes(tmp_path / "r", "dram")
    assert copy(1) == (0, 0)
    for moved in copy(256):
        assert abs(moved - (256 << 20)) <= L2_BYTES[chip]


def test_a_chase_shows_near_and_far_halves_of_the_l2(tmp_path):
    """A100 (RRZE-HPC/gpu-benches): 205 cycles in the near partition, about 400 from the far one,
    more only from memory. An L2 of 4 MiB shows it in a short chase: up to a partition's 2 MiB all
    lines have copies nearby; beyond, copies and homes crowd each other."""
    def chase(kib, *options):
        return cycles_per_step("a100-sxm-80gb", f"chase:bytes={kib << 10};loads=131072", tmp_path / "c",
                               "--launch", "kernel", "--set", "l2.size=4 MiB", *options)
    assert chase(1024) == pytest.approx(205, abs=2)
    between = chase(2560)
    assert 210 < between < 400
    far = ("--set", "l2.far_latency=600")
    assert chase(1024, *far) == pytest.approx(205, abs=2)
    assert chase(2560, *far) > between + 5


def test_an_l2_of_one_partition_has_one_latency(tmp_path):
    """V100: 215 cycles from 536 kB to 5.4 MB (RRZE-HPC/gpu-benches, v100.txt)."""
    for kib in (524, 2048, 4766):
        assert cycles_per_step("v100-pcie-32gb", f"chase:bytes={kib << 10};loads=131072",
                               tmp_path / "c", "--launch", "kernel") == pytest.approx(215, abs=4)


@pytest.mark.parametrize("chip", ["v100-sxm2-16gb", "a100-sxm-80gb", "h100-sxm-80gb"])
def test_a_long_product_of_few_results_is_split(tmp_path, chip):
    """CUTLASS, "Efficient GEMM", parallelised reductions (split-K): a product of one tile or two
    leaves the other SMs without work, unless CTAs share out k and a second kernel adds up."""
    shape = "gemm:m=64;n=64;k=65536"
    split_us = kernel_us(chip, shape, tmp_path / "s", "--dtype", "fp16")
    product, reduction = rows_of(tmp_path / "s" / "kernels.csv")
    rows, columns, splits = (int(side) for side in product["grid"].split("x"))
    assert splits > 1 and rows * columns <= 4
    assert f"splitk{splits}" in product["kernel"] and f"reduce_{splits}" in reduction["kernel"]
    assert f"{rows}x{columns}x{splits}" in rows_of(tmp_path / "s" / "operators.csv")[0]["mapping"]
    # Partial sums of 32 bits pass through the L2 twice.
    assert level_bytes(tmp_path / "s", "l2")[1] == splits * 64 * 64 * 4 + 64 * 64 * 2
    whole_us = kernel_us(chip, shape, tmp_path / "w", "--dtype", "fp16", "--set",
                         "kernel_library.split_from_k=1000000")
    (kernel,) = rows_of(tmp_path / "w" / "kernels.csv")
    assert int(kernel["ctas"]) <= 4
    assert sum(split_us) < whole_us[0] / 4


@pytest.mark.parametrize("chip", ["v100-sxm2-16gb", "h100-sxm-80gb"])
def test_rms_norm_moves_its_rows_and_is_no_slower_than_layer_norm(tmp_path, chip):
    """Zhang and Sennrich, NeurIPS 2019: no mean, hence less work on the same bytes."""
    shape = "rows=16384;cols=4096"  # 128 MiB each way
    rms_us = kernel_us(chip, f"rmsnorm:{shape}", tmp_path / "r", "--dtype", "fp16")
    for level, kept in (("l2", 0), ("dram", L2_BYTES[chip])):
        assert min(level_bytes(tmp_path / "r", level)) >= (128 << 20) - kept, level
    (operator,) = rows_of(tmp_path / "r" / "operators.csv")
    assert rms_us[0] >= float(operator["roofline_us"])
    layer_us = kernel_us(chip, f"layernorm:{shape}", tmp_path / "l", "--dtype", "fp16")
    assert 0.5 * layer_us[0] < rms_us[0] <= layer_us[0]


@pytest.mark.parametrize("chip", ["v100-sxm2-16gb", "a100-sxm-80gb", "h100-sxm-80gb"])
def test_groups_make_a_convolution_less_efficient(tmp_path, chip):
    """Ma et al., ECCV 2018 (ShuffleNet v2), guideline 2: with more groups fewer products are made a
    second, as each byte is used less. Nothing is faster than its roofline."""
    rates = {}
    for groups in (1, 4, 64, 256):
        kernel_us(chip, "conv2d:n=128;c=256;h=28;w=28;out_c=256;kh=3;kw=3;pad_h=1;pad_w=1;"
                  f"group={groups}", tmp_path / "r", "--dtype", "fp16", "--launch", "kernel")
        (operator,) = rows_of(tmp_path / "r" / "operators.csv")
        assert float(operator["macs"]) == pytest.approx(128 * 28 * 28 * 256 * 9 * 256 / groups)
        assert float(operator["time_us"]) > float(operator["roofline_us"])
        # The L2 keeps some of the input for the next call.
        assert level_bytes(tmp_path / "r", "l2")[0] >= int(operator["input_bytes"])
        assert int(operator["dram_read_bytes"]) >= int(operator["input_bytes"]) - L2_BYTES[chip]
        rates[groups] = float(operator["macs"]) / float(operator["time_us"])
    assert rates[1] > rates[4] > rates[64]
    assert rates[1] > 10 * rates[256]


def test_a_depthwise_convolution_is_bound_by_memory_where_a_dense_one_is_not(tmp_path):
    """As many products, of 256 channels depthwise or of 16 dense: depthwise moves 16 times the bytes
    and takes about as long as a copy of them (Howard et al. 2017: depthwise layers are 3% of the
    products of MobileNet)."""
    def run(channels, groups):
        kernel_us("a100-sxm-80gb", f"conv2d:n=128;c={channels};h=28;w=28;out_c={channels};kh=3;kw=3;"
                  f"pad_h=1;pad_w=1;group={groups}", tmp_path / "r", "--dtype", "fp16", "--launch",
                  "kernel")
        return rows_of(tmp_path / "r" / "operators.csv")[0]
    depthwise, dense = run(256, 256), run(16, 1)
    assert float(depthwise["macs"]) == float(dense["macs"])
    assert float(depthwise["time_us"]) > 3 * float(dense["time_us"])
    bytes_moved = int(depthwise["input_bytes"]) + int(depthwise["output_bytes"])
    copy_us = kernel_us("a100-sxm-80gb", "elementwise:fn=relu;tensors=1;rows=100352;cols=256",
                        tmp_path / "c", "--dtype", "fp16", "--launch", "kernel")[0]
    assert bytes_moved == 2 * 100352 * 256 * 2
    assert 0.9 * copy_us < float(depthwise["time_us"]) < 2 * copy_us


@pytest.mark.parametrize("chip,workload,options", [
    ("a100-sxm-80gb", "bert_base_layer", ()),
    ("v100-sxm2-16gb", "bert_base_layer", ()),
    ("t4-16gb", "bert_base_layer", ()),
    ("h100-sxm-80gb", "llama2_7b_layer", ("--seq", "1", "--dim", "past=511")),
])
def test_streams_never_make_small_operators_slower(tmp_path, chip, workload, options):
    """SMs that one stream leaves idle serve the others, at best down to the roofline."""
    def time_us(streams):
        done = siliscope("run", "--system", chip, "--workload", workload, "--no-advice", "--trace",
                         "none", "--streams", streams, *options, "--out", str(tmp_path / "r"))
        assert done.returncode == 0, done.stderr
        result = summary(tmp_path / "r")
        assert result["time_us"] >= result["roofline_us"]
        return result["time_us"]
    one = time_us("1")
    assert time_us("2") < one and time_us("4") < one


def test_misses_under_way_bound_the_bandwidth_of_an_sm(tmp_path):
    """Little's law: as many sectors of 32 bytes under way as there are miss registers, each for the
    212 cycles of V100's L2: a line of four sectors every 212, 106 or 53 cycles, on every SM."""
    def cycles_per_line(registers, ctas):
        lines = 16384 * 8 // 128  # of a CTA
        microseconds = kernel_us("v100-pcie-32gb", f"stream:fn=read;elements={16384 * ctas};ctas={ctas};"
                                 "threads=256;unroll=8", tmp_path / "r", "--dtype", "fp64", "--launch",
                                 "kernel", "--set", f"sm.l1.mshrs={registers}")[0]
        return microseconds * 1380 / lines
    for ctas in (1, 20):
        assert cycles_per_line(4, ctas) == pytest.approx(212, rel=0.05)
        assert cycles_per_line(8, ctas) == pytest.approx(106, rel=0.05)
        assert cycles_per_line(16, ctas) == pytest.approx(53, rel=0.06)
        assert cycles_per_line(1024, ctas) < 10
    # On all SMs, past the L2 (434 cycles): those that wait hold up nobody else's loads.
    assert cycles_per_line(4, 80) == pytest.approx(434, rel=0.05)


@pytest.mark.parametrize("banks", [1, 2, 4])
def test_few_banks_of_shared_memory_set_the_time_of_a_product(tmp_path, banks):
    """Each bank gives four bytes a cycle: 64 CTAs on as many SMs take as long as their bytes do."""
    took = kernel_us("a100-sxm-80gb", "gemm:m=1024;n=1024;k=1024", tmp_path / "r", "--kernel",
                     "gemm_128x128", "--set", f"sm.shared_memory.banks={banks}")[0]
    assert int(rows_of(tmp_path / "r" / "kernels.csv")[0]["ctas"]) == 64
    bytes_an_sm = sum(level_bytes(tmp_path / "r", "shared_memory")) / 64
    least_us = bytes_an_sm / (4 * banks) / 1410
    assert least_us <= took < 1.1 * least_us


def test_one_channel_of_memory_takes_as_long_as_its_bytes(tmp_path):
    """Of 80 channels one is left: an 80th of 2039 GB/s, less turning between reads and writes, row
    misses and refresh; two are twice as fast."""
    def copy_us(channels):
        return kernel_us("a100-sxm-80gb", "elementwise:fn=relu;tensors=1;rows=16384;cols=1024",
                         tmp_path / "r", "--dtype", "fp32", "--set", f"memory.channels={channels}")[0]
    one = copy_us(1)
    least_us = 2 * 16384 * 1024 * 4 / (2039e3 / 80)
    assert least_us <= one < 1.35 * least_us
    assert one / copy_us(2) == pytest.approx(2, rel=0.05)


def test_a_ring_of_stages_waits_for_the_memory_over_the_stages_ahead(tmp_path):
    """CUTLASS, multistage pipelines: while a stage is multiplied all others are on their way, so a
    step of a far memory (4000 cycles) takes latency / (stages - 1), and what the step itself adds."""
    for kib, stages in ((66, 2), (99, 3), (163, 4)):
        took = cycles_per_step("a100-sxm-80gb", "gemm:m=256;n=256;k=2048", tmp_path / "r", "--kernel",
                               "gemm_128x128", "--zoom", "sms", "--set", "l2.near_latency=4000",
                               "--set", "l2.far_latency=4000", "--set",
                               "kernel_library.split_from_k=1000000", "--set",
                               f"sm.shared_memory.most_per_cta={kib} KiB")
        assert f"stages{stages}" in rows_of(tmp_path / "r" / "kernels.csv")[0]["kernel"]
        assert 4000 / (stages - 1) < took < 1.5 * 4000 / (stages - 1)


@pytest.mark.parametrize("chip", ["v100-sxm2-16gb", "h100-sxm-80gb"])
@pytest.mark.parametrize("groups", [4, 32])
def test_a_grouped_convolution_writes_all_of_its_output(tmp_path, chip, groups):
    kernel_us(chip, f"conv2d:n=64;c=256;h=28;w=28;out_c=256;kh=3;kw=3;pad_h=1;pad_w=1;group={groups}", tmp_path / "r",
              "--dtype", "fp16")
    (operator,) = rows_of(tmp_path / "r" / "operators.csv")
    # A group of 8 channels is half of a sector of 32 bytes, which it writes apart.
    apart = 2 if groups == 32 else 1
    assert level_bytes(tmp_path / "r", "l2")[1] == pytest.approx(apart * int(operator["output_bytes"]), rel=0.02)


def test_a_depthwise_convolution_loads_its_weights(tmp_path):
    kernel_us("a100-sxm-80gb", "conv2d:n=1;c=4096;h=1;w=1;out_c=4096;kh=3;kw=3;pad_h=1;pad_w=1;group=4096", tmp_path / "r",
              "--dtype", "fp16")
    assert level_bytes(tmp_path / "r", "l2")[0] >= 4096 * (9 + 1) * 2


@pytest.mark.parametrize("zoom", [(), ("--zoom", "sms")])
def test_a_reduction_reads_all_partial_sums(tmp_path, zoom):
    """Rows shorter than a CTA's stretch follow each other: 32-bit sums of all splits, results of two bytes."""
    kernel_us("a100-sxm-80gb", "gemm:m=2048;n=256;k=16384", tmp_path / "r", "--dtype", "fp16", *zoom)
    reduction = rows_of(tmp_path / "r" / "kernels.csv")[1]
    splits = int(reduction["kernel"].split("_")[2])
    moved = float(reduction["l2_gb_per_s"]) * (float(reduction["end_us"]) - float(reduction["begin_us"]))
    assert moved * 1e3 == pytest.approx(2048 * 256 * (4 * splits + 2), rel=0.01)


@pytest.mark.parametrize("dtype", ["fp64", "int8"])
def test_a_host_copy_copies_its_bytes_in_any_type(tmp_path, dtype):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "host_copy:bytes=1048576", "--dtype", dtype,
                     "--no-advice", "--out", str(tmp_path / "r"))
    assert done.returncode == 0
    assert int(rows_of(tmp_path / "r" / "links.csv")[0]["inward_bytes"]) == 1048576


def test_library_tiles_are_those_of_the_chip(tmp_path):
    """cuBLAS on A100 multiplies batches in single precision by 128x128 and splits none (NeuSight's profiles)."""
    for shape in ("gemm:batch=12;m=96;n=196;k=196", "gemm:batch=256;m=384;n=64;k=384"):
        kernel_us("a100-pcie-40gb", shape, tmp_path / "r", "--dtype", "fp32", "--launch", "kernel")
        assert "gemm_128x128" in rows_of(tmp_path / "r" / "kernels.csv")[0]["kernel"]
    kernel_us("a100-pcie-40gb", "gemm:m=128;n=128;k=8192", tmp_path / "r", "--dtype", "fp32", "--launch", "kernel")
    assert "splitk" not in rows_of(tmp_path / "r" / "kernels.csv")[0]["kernel"]
