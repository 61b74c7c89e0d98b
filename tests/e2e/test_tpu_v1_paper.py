# SPDX-License-Identifier: Apache-2.0
"""TPU v1 against Jouppi et al., ISCA 2017, Table 3: shares of cycles and TOPS."""
import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Percent of cycles: array active, weight stall, weight shift, non-matrix; then TOPS. The last column
# is how far TOPS may be off: the paper's shares and TOPS disagree by 7, 12 and 20%.
TABLE_3 = {"mlp0": (12.7, 53.9, 15.9, 17.5, 12.3, 0.10),
           "mlp1": (10.6, 44.2, 13.4, 31.9, 9.7, 0.14),
           "cnn0": (78.2, 0.0, 0.0, 21.8, 86.0, 0.16)}


def simulate(workload, out, *options):
    """The summary of a run on TPU v1."""
    subprocess.run([os.path.join(ROOT, "siliscope"), "run", "--system", "tpu-v1", "--workload", workload,
                    "--no-advice", "--trace", "none", "--out", str(out), *options], check=True,
                   capture_output=True)
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("workload", TABLE_3)
def test_table_3(workload, tmp_path):
    active, stall, shift, rest, tops, tolerance = TABLE_3[workload]
    summary = simulate(workload, tmp_path / "r")
    share = summary["array_time_pct"]
    memory = share["memory_bandwidth"] + share["memory_latency"]
    assert abs(summary["array_active_pct"] - active) < 5
    assert abs(memory - stall) < 5
    assert abs(share["fill_drain"] - shift) < 5
    assert abs(100 - summary["array_active_pct"] - memory - share["fill_drain"] - rest) < 5
    assert abs(summary["nominal_tops"] / tops - 1) < tolerance


def test_sensitivities_go_the_papers_way(tmp_path):
    """Section 7: four times the bandwidth about triples MLPs and LSTMs and leaves CNNs; four times
    the clock does nothing for MLPs and helps CNNs; four times the elements help nobody much."""
    base = {w: simulate(w, tmp_path / "r")["time_us"] for w in ("mlp0", "cnn0")}
    memory = {w: simulate(w, tmp_path / "r", "--set", "memory.channels=8")["time_us"] for w in base}
    clock = {w: simulate(w, tmp_path / "r", "--set", "clock=2800 MHz")["time_us"] for w in base}
    large = {w: simulate(w, tmp_path / "r", "--set", "array.rows=512", "--set", "array.columns=512")["time_us"]
             for w in base}
    assert large["mlp0"] > 0.9 * base["mlp0"] and large["cnn0"] > base["cnn0"]  # tiles are padded
    assert base["mlp0"] / memory["mlp0"] > 2.4 and base["cnn0"] / memory["cnn0"] < 1.05
    assert base["mlp0"] / clock["mlp0"] < 1.1 and base["cnn0"] / clock["cnn0"] > 1.15


def test_a_600_by_600_matrix_takes_nine_tiles_or_four(tmp_path):
    """Section 7: 9 steps and 18 us on 256x256, 4 steps and 32 us on 512x512."""
    ideal = ["--ideal", "host_link", "--ideal", "synchronisation"]
    small = simulate("gemm:m=96;n=600;k=600", tmp_path / "r", *ideal)["time_us"]
    large = simulate("gemm:m=96;n=600;k=600", tmp_path / "r", *ideal, "--set", "array.rows=512", "--set",
                     "array.columns=512")["time_us"]
    assert abs(small / 18 - 1) < 0.1 and abs(large / 32 - 1) < 0.1


def test_batches_move_along_the_roofline(tmp_path):
    """Below the ridge (1,350 MAC a byte) every weight is fetched once whatever the batch is."""
    batches = [1, 4, 16, 64, 256, 1024]
    runs = [simulate("mlp0", tmp_path / "r", "--batch", str(b)) for b in batches]
    for batch, run in zip(batches, runs):
        assert abs(run["macs_per_weight_byte"] / batch - 1) < 0.01
        roof = min(run["peak_tops"], 2 * run["macs_per_weight_byte"] * run["dram_peak_gb_per_s"] / 1e3)
        assert 0.4 * roof < run["nominal_tops"] <= roof
    steps = [after["nominal_tops"] / before["nominal_tops"] for before, after in zip(runs, runs[1:])]
    assert all(3.3 < step < 4.01 for step in steps[:3])  # along the slope
    assert steps[4] < steps[2]  # the roof bends
