# SPDX-License-Identifier: Apache-2.0
"""GPUs through the command line: kernels, causes, networks, what can be asked for."""
import json
import os

import jsonschema
import pytest
import yaml

from gpu_runs import ROOT, siliscope, rows_of, kernel_us


@pytest.fixture(scope="module", name="run")
def fixture_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("gpu") / "r"
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "resnet50", "--batch", "32",
                     "--no-advice", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_kernels_say_what_a_profiler_says(run):
    out, _ = run
    with open(os.path.join(ROOT, "configs", "schema", "columns.yaml"), encoding="utf-8") as file:
        documented = yaml.safe_load(file)["kernels.csv"]
    kernels = rows_of(out / "kernels.csv")
    assert list(kernels[0]) == list(documented)
    slots = list(kernels[0])[list(kernels[0]).index("selected_pct"):]
    for k in kernels:
        assert sum(float(k[s]) for s in slots) == pytest.approx(100, abs=0.01)
        assert k["limiter"] in {"registers", "shared_memory", "warps", "ctas"}
        assert float(k["end_us"]) > float(k["begin_us"]) >= float(k["queued_us"])
        assert float(k["waves"]) > 0
        assert 0 <= float(k["pipe_pct"]) < 100 and 0 <= float(k["l2_hit_pct"]) <= 100
        assert float(k["l2_gb_per_s"]) < 7220 and float(k["dram_gb_per_s"]) < 2040
    # Launches of one stream run one after another.
    for before, after in zip(kernels, kernels[1:]):
        assert float(after["begin_us"]) >= float(before["end_us"])


def test_bytes_of_operators_sum_to_those_of_the_chip(run):
    out, _ = run
    operators = rows_of(out / "operators.csv")
    dram = next(row for row in rows_of(out / "memory.csv") if row["level"] == "dram")
    for kind in ("read", "write"):
        total = sum(int(o[f"dram_{kind}_bytes"]) for o in operators)
        assert total == int(dram[f"{kind}_bytes"])
    points = [r for r in rows_of(out / "roofline.csv") if r["kind"] == "operator"]
    convolutions = {o["name"] for o in operators if o["kind"] == "conv"}
    for level in ("dram", "l2"):
        assert {p["name"] for p in points if p["level"] == level} >= convolutions
    # The first convolution reads pixels of six bytes: they lie packed, so its traffic is about
    # the image (9.6 MB) and what of its result (51 MB) the cache of 40 MB drops.
    first = next(o for o in operators if o["name"] == "/conv1/Conv")
    assert 7e6 < int(first["dram_read_bytes"]) < 13e6
    assert int(first["dram_write_bytes"]) < 51.4e6


def test_stalls_are_those_of_the_run(run):
    """What operators.csv calls waiting for memory is what warps wait for on the long scoreboard."""
    out, _ = run
    kernels = {int(k["operator"]): k for k in rows_of(out / "kernels.csv")}
    for operator in rows_of(out / "operators.csv"):
        time = float(operator["time_us"]) - float(operator["launch_us"])
        if time <= 0:
            continue
        memory = float(operator["memory_bandwidth_us"]) + float(operator["memory_latency_us"])
        long_scoreboard = float(kernels[int(operator["operator"])]["long_scoreboard_pct"])
        assert long_scoreboard >= 100 * memory / time - 0.1, operator["name"]


def test_a_pool_reads_all_of_its_input(run):
    out, _ = run
    pools = [o for o in rows_of(out / "operators.csv") if o["kind"] == "pool"]
    assert len(pools) == 2
    kernels = {int(k["operator"]): k for k in rows_of(out / "kernels.csv")}
    for pool in pools:
        k = kernels[int(pool["operator"])]
        moved = float(k["l2_gb_per_s"]) * (float(k["end_us"]) - float(k["begin_us"])) * 1e3
        assert moved == pytest.approx(int(pool["input_bytes"]) + int(pool["output_bytes"]), rel=0.02)


@pytest.mark.parametrize("window,share", [(3, 1), (1, 0.25)])
def test_a_strided_convolution_reads_what_its_windows_cover(tmp_path, window, share):
    """Windows of three by three at every second pixel cover the image, those of one a quarter."""
    workload = ("conv2d:n=64;c=128;h=112;w=112;out_c=128;stride_h=2;stride_w=2;"
                f"kh={window};kw={window};pad_h={window // 2};pad_w={window // 2}")
    kernel_us("a100-sxm-80gb", workload, tmp_path / "r")
    dram = next(row for row in rows_of(tmp_path / "r" / "memory.csv") if row["level"] == "dram")
    assert int(dram["read_bytes"]) == pytest.approx(share * 64 * 128 * 112 * 112 * 2, rel=0.02)


@pytest.mark.parametrize("chip", sorted(
    name.removesuffix(".yaml") for name in os.listdir(os.path.join(ROOT, "configs", "chips"))
    if name.split("-")[0] in ("p100", "v100", "t4", "a100", "h100", "h200")))
def test_every_chip_runs_resnet50_in_plausible_time(tmp_path, chip):
    """No chip is far from its peak, none above it (H100s once took minutes: loads unawaited)."""
    done = siliscope("run", "--system", chip, "--workload", "resnet50", "--batch", "32",
                     "--no-advice", "--trace", "none", "--out", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r" / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert 8 < summary["compute_util_pct"] < 90, done.stdout


@pytest.mark.parametrize("setting,says", [
    ("sm.register_file.registers=4096", "registers a thread"),
    ("l2.slices=1", "l2.partitions"),
])
def test_chips_that_cannot_run_a_kernel_say_why(tmp_path, setting, says):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "softmax:rows=1001;cols=1023",
                     "--set", setting, "--no-advice", "--out", str(tmp_path / "r"))
    assert done.returncode == 2 and says in done.stderr


def test_causes_of_every_sm_sum_to_the_whole(run):
    out, text = run
    units = rows_of(out / "units.csv")
    assert len(units) == 108
    causes = [name for name in units[0] if name.endswith("_us")]
    totals = {round(sum(float(u[c]) for c in causes), 3) for u in units}
    assert max(totals) - min(totals) < 0.01
    assert "SMs computing" in text and "kernels.csv" in text


def test_a_run_stays_within_the_power_limit(tmp_path):
    """Convolutions that draw more than the 300 W of the PCIe card at its full clock."""
    options = ("--workload", "resnet50", "--batch", "32", "--no-advice", "--trace", "none", "--out")
    done = siliscope("run", "--system", "a100-pcie-80gb", *options, str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r" / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["clock_mhz"] < 1400
    assert summary["power_w"] == pytest.approx(300, rel=0.02)
    assert "  power        " in done.stdout


def test_same_bytes_again(run, tmp_path):
    out, _ = run
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "resnet50", "--batch", "32",
                     "--no-advice", "--out", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    for name in ["operators.csv", "kernels.csv", "units.csv", "memory.csv", "trace.json"]:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_named_kernel_is_taken(tmp_path):
    table = tmp_path / "named.csv"
    table.write_text("id,chip,op,dtype,shape,launch,source\n"
                     "1,a100-pcie-40gb,gemm,fp32,m=2560;n=7680;k=1024,eager,"
                     "neusight ampere_sgemm_128x64_tn grid 60x40x1\n", encoding="utf-8")
    done = siliscope("ops", str(table), "--kernel-from", "source", "--out", str(tmp_path / "o.csv"))
    assert done.returncode == 0, done.stderr
    assert "sgemm_64x128" in rows_of(tmp_path / "o.csv")[0]["mapping"]


def test_hosts_follow_their_schema():
    schema = yaml.safe_load(siliscope("schema", "host").stdout)
    folder = os.path.join(ROOT, "configs", "hosts")
    names = siliscope("list", "hosts").stdout
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".yaml")):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            jsonschema.validate(yaml.safe_load(file), schema)
        assert name.removesuffix(".yaml") in names


def test_a_chip_that_contradicts_itself_is_refused(tmp_path):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "resnet18",
                     "--set", "sm.shared_memory.size=300 KiB", "--out", str(tmp_path / "x"))
    assert done.returncode == 2
    assert "sm.shared_memory.size" in done.stderr and "Traceback" not in done.stderr
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "resnet18",
                     "--lock-clock", "2 GHz", "--out", str(tmp_path / "x"))
    assert done.returncode == 2 and "above the chip's clock, 1410 MHz" in done.stderr


@pytest.mark.parametrize("workload", ["gemm:m=8192;n=512;k=512", "gemm:m=16;n=4096;k=12288"])
def test_autotuning_takes_no_slower_kernel(tmp_path, workload):
    chosen = sum(kernel_us("a100-sxm-80gb", workload, tmp_path / "c"))
    tuned = sum(kernel_us("a100-sxm-80gb", workload, tmp_path / "t", "--autotune"))
    assert tuned <= chosen
    if "m=8192" in workload:
        assert tuned < 0.9 * chosen


def test_autotuning_says_where_there_is_nothing_to_choose(tmp_path):
    done = siliscope("run", "--system", "tpu-v4", "--workload", "gemm:m=64;n=64;k=64", "--autotune",
                     "--no-advice", "--out", str(tmp_path / "r"))
    assert done.returncode == 0 and "--autotune changes nothing" in done.stdout


MODELS = os.path.join(os.path.dirname(ROOT), "shared", "models")


@pytest.mark.skipif(not os.path.isdir(MODELS), reason="the models are beside the project only")
@pytest.mark.parametrize("name", ["bert_base_s128", "gpt2_small_prefill_s128",
                                  "llama1b_2layer_prefill_s128", "llama1b_2layer_decode_kv1023",
                                  "encoder_layer_fastpath", "vit_b_16", "lstm_2layer"])
def test_transformers_run_on_a_gpu(tmp_path, name):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload",
                     os.path.join(MODELS, name + ".onnx"), "--no-advice", "--trace", "none", "--out",
                     str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r" / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert summary["time_us"] >= summary["roofline_us"]


def test_inputs_and_outputs_go_over_the_host_link(tmp_path):
    done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "resnet18", "--batch", "8",
                     "--host-copies", "--no-advice", "--out", str(tmp_path / "h"))
    assert done.returncode == 0, done.stderr
    kernels = rows_of(tmp_path / "h" / "kernels.csv")
    assert kernels[0]["kernel"] == "copy_host_to_chip" and kernels[-1]["kernel"] == "copy_chip_to_host"
    copied_us = float(kernels[0]["end_us"]) - float(kernels[0]["begin_us"])
    assert 8 * 3 * 224 * 224 * 2 / copied_us / 1e3 == pytest.approx(25, rel=0.15)  # GB/s
    link = rows_of(tmp_path / "h" / "links.csv")[0]
    assert int(link["inward_bytes"]) == 8 * 3 * 224 * 224 * 2
    assert int(link["outward_bytes"]) == 8 * 1000 * 2
    refused = siliscope("run", "--system", "tpu-v4", "--workload", "resnet18", "--host-copies")
    assert refused.returncode == 2 and "has no copy engines" in refused.stderr


def test_operators_that_do_not_wait_for_each_other_run_side_by_side(tmp_path):
    """Products for queries, keys and values fill a third of an A100 each."""
    def kernels(out, *options):
        done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "bert_base_layer",
                         "--no-advice", "--trace", "none", "--out", str(tmp_path / out), *options)
        assert done.returncode == 0, done.stderr
        rows = rows_of(tmp_path / out / "kernels.csv")
        return rows, max(float(k["end_us"]) for k in rows)

    alone, alone_us = kernels("one")
    beside, _ = kernels("three", "--streams", "3", "--host-copies")
    assert {k["stream"] for k in alone} == {"0"}
    assert {k["stream"] for k in beside} == {"0", "1", "2", "3", "4"}  # two of them for copies
    times = {k["name"]: (float(k["begin_us"]), float(k["end_us"])) for k in beside}
    projections = [times[name] for name in ("q_proj", "k_proj", "v_proj")]
    assert max(begin for begin, _ in projections) < min(end for _, end in projections)
    assert times["attention"][0] > max(end for _, end in projections)
    assert kernels("again", "--streams", "3")[1] < 0.9 * alone_us
    for system, options, says in [("tpu-v4", (), "no GPU"),
                                  ("a100-sxm-80gb", ("--host", "pytorch-2"), "one kernel after")]:
        refused = siliscope("run", "--system", system, "--workload", "resnet18", "--streams", "2",
                            "--out", str(tmp_path / "x"), *options)
        assert refused.returncode == 2 and says in refused.stderr


def test_a_kernel_can_be_asked_for(tmp_path):
    def run(kernel):
        done = siliscope("run", "--system", "a100-sxm-80gb", "--workload", "gemm:m=2048;n=2048;k=1024",
                         "--kernel", kernel, "--no-advice", "--out", str(tmp_path / "k"))
        assert done.returncode == 0, done.stderr
        return done.stdout, rows_of(tmp_path / "k" / "kernels.csv")[0]["tile"]
    assert run("gemm_64x64")[1].startswith("64x64x")
    assert "no tile of a100-sxm-80gb is named so" in run("gemm_7x9")[0]


@pytest.mark.parametrize("name", ["bert_base_layer", "gpt3_layer", "llama2_7b_layer", "llama3_8b_layer"])
def test_transformer_layers_by_name(tmp_path, name):
    """Prefill multiplies more than decode, which is bound by its weights."""
    def run(*options):
        done = siliscope("run", "--system", "h100-sxm-80gb", "--workload", name, *options, "--no-advice",
                         "--trace", "none", "--out", str(tmp_path / "t"))
        assert done.returncode == 0, done.stderr
        with open(tmp_path / "t" / "summary.json", encoding="utf-8") as file:
            return json.load(file)
    prefill, decode = run("--seq", "128"), run("--seq", "1", "--dim", "past=127")
    assert prefill["nominal_flops"] > 100 * decode["nominal_flops"]
    assert decode["time_us"] > decode["weight_bytes"] / 3.35e6 * 0.5
    assert prefill["time_us"] > decode["time_us"]
    wrong = siliscope("run", "--system", "h100-sxm-80gb", "--workload", name, "--dim", "pats=3")
    assert wrong.returncode == 2 and "past" in wrong.stderr


def test_figures_of_gpus_are_drawn(tmp_path):
    """Copies that pass the registers by beat those that don't (E33), on the same A100."""
    done = siliscope("figures", "E29", "E33", "--out", str(tmp_path / "f"))
    assert done.returncode == 0, done.stderr
    used = {(r["series"], r["x"]): float(r["compute_util_pct"])
            for r in rows_of(tmp_path / "f" / "E33.csv")}
    for x in ("4096^3", "512x4096x4096"):
        assert used["A100, cp.async", x] > used["A100, registers", x]
    assert (tmp_path / "f" / "E29.png").stat().st_size > 10000
    # E29, "P100 -> V100 ... 12x chip"; none above its peak, all near it.
    rate = {r["label"]: float(r["nominal_tops"]) for r in rows_of(tmp_path / "f" / "E29.csv")}
    peaks = {"P100 fp32": 9.3, "V100 fp32": 15.7, "A100 fp32": 19.5, "H100 fp32": 66.9,
             "V100 fp16": 125, "A100 fp16": 312, "H100 fp16": 989.4}
    for label, peak in peaks.items():
        assert 0.7 * peak < rate[label] < peak, label
    assert 10 < rate["V100 fp16"] / rate["P100 fp32"] < 14


def test_an_embedding_finds_rows_that_were_named_before(tmp_path):
    """Of as many draws as there are rows, 1 - 1/e name a new one; a table within the L2 is loaded
    once however often it is asked."""
    share = {}
    for rows, indices in ((65536, 65536), (1024, 65536), (8192, 8192)):
        kernel_us("a100-sxm-80gb", f"embedding:rows={rows};cols=4096;indices={indices}",
                  tmp_path / "r", "--launch", "kernel", "--dtype", "bf16")
        dram = next(r for r in rows_of(tmp_path / "r" / "memory.csv") if r["level"] == "dram")
        share[rows] = int(dram["read_bytes"]) / (indices * 8192)
    assert share[1024] < 0.2
    assert 0.632 < share[8192] < 0.85  # of 64 MB: some rows are gone when they are named again
    assert share[65536] > 0.9


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_transpose_moves_whole_lines(tmp_path, dtype):
    """Tiles in shared memory: nearly as fast as a copy (Ruetsch and Micikevicius 2009), where a line
    an element would take 32 times as long."""
    size = "rows=8192;cols=8192"
    turned = kernel_us("a100-sxm-80gb", f"transpose:{size}", tmp_path / "t", "--dtype", dtype)
    copied = kernel_us("a100-sxm-80gb", f"elementwise:fn=relu;tensors=1;{size}", tmp_path / "c",
                       "--dtype", dtype)
    assert copied[0] < turned[0] < 1.2 * copied[0]
