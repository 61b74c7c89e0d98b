# SPDX-License-Identifier: Apache-2.0
"""Units at cycle zoom inside of a run: the same times, and waveforms that say what they did."""
import csv
import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "siliscope")


def run(out, *words, code=0):
    done = subprocess.run([PROGRAM, "run", *map(str, words), "--no-advice", "--out", out],
                          capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def read_waveform(path):
    """Signals by hierarchical name: lists of (time_ps, value)."""
    scope, names, changes, now = [], {}, {}, 0
    for line in open(path, encoding="ascii"):
        words = line.split()
        if words[0] == "$scope":
            scope.append(words[2])
        elif words[0] == "$upscope":
            scope.pop()
        elif words[0] == "$var":
            names[words[3]] = ".".join(scope + [words[4]])
            changes[names[words[3]]] = []
        elif words[0].startswith("#"):
            assert int(words[0][1:]) >= now, "time runs backwards"
            now = int(words[0][1:])
        elif words[0][0] == "b":
            changes[names[words[1]]].append((now, int(words[0][1:], 2)))
        elif words[0][0] == "r":
            changes[names[words[1]]].append((now, float(words[0][1:])))
        elif words[0][0] in "01":
            changes[names[words[0][1:]]].append((now, int(words[0][0])))
    assert not scope
    return changes


def integral(changes):
    """Value times picoseconds."""
    return sum(value * (after - at) for (at, value), (after, _) in zip(changes, changes[1:]))


@pytest.mark.parametrize("system,units,options", [
    ("systolic-32x32", "core0.array0", []),
    ("systolic-16x16", "core0.array0", ["--set", "array.overlap_fill_drain=false"]),
    ("systolic-16x16", "core0.array0", ["--set", "array.weight_double_buffer=false"]),
    ("systolic-32x32", "core0.array0", ["--set", "array.dataflow=output_stationary"]),
    ("systolic-32x32", "core0.array0", ["--set", "array.dataflow=searched"]),
    ("systolic-32x32", "core0.array0", ["--set", "unified_buffer.banks=4"]),  # ports are slow
    ("tpu-v4", ",".join(f"core{c}.array{a}" for c in range(2) for a in range(4)), []),
])
def test_arrays_take_the_same_time_at_both_zooms(tmp_path, system, units, options):
    words = ["--system", system, "--workload", "resnet18", "--trace", "none", *options]
    run(tmp_path / "tile", *words)
    assert "each result equal to the product" in run(tmp_path / "cycle", *words, "--zoom", units)
    for file in ("operators.csv", "units.csv", "memory.csv"):
        assert (tmp_path / "tile" / file).read_bytes() == (tmp_path / "cycle" / file).read_bytes()


def test_memory_takes_the_same_time_within_three_percent(tmp_path):
    for system, workload in (("systolic-32x32", "gemm:m=300;n=400;k=500"), ("tpu-v1", "mlp0"),
                             ("tpu-v4", "mobilenet_v2")):
        words = ["--system", system, "--workload", workload, "--trace", "none"]
        run(tmp_path / "tile", *words)
        run(tmp_path / "cycle", *words, "--zoom", "dram")
        tile, cycle = (json.loads((tmp_path / f / "summary.json").read_text())["time_us"]
                       for f in ("tile", "cycle"))
        assert abs(tile / cycle - 1) < 0.03, system


def test_one_operator_can_be_zoomed(tmp_path):
    words = ["--system", "systolic-32x32", "--workload", "resnet18"]
    run(tmp_path / "tile", *words)
    run(tmp_path / "cycle", *words, "--zoom-op", "layer2.0/conv2")
    assert ((tmp_path / "tile" / "operators.csv").read_bytes()
            == (tmp_path / "cycle" / "operators.csv").read_bytes())
    events = json.loads((tmp_path / "cycle" / "trace.json").read_text())["traceEvents"]
    zoomed = {e["name"] for e in events if e.get("args", {}).get("zoom") == "cycle"}
    assert zoomed == {"/layer2/layer2.0/conv2/Conv"}


def test_waveform_of_an_array_counts_its_work(tmp_path):
    run(tmp_path / "r", "--system", "systolic-8x8", "--workload", "gemm:m=40;n=16;k=24", "--zoom",
        "core0.array0", "--vcd", "--trace", "none")
    signals = read_waveform(tmp_path / "r" / "waveform.vcd")
    period = 1000  # 1 GHz
    # Every element works once on each of the 40 rows of each of the 2 x 3 tiles.
    active = signals["chip.core0.array0.active_elements"]
    assert integral(active) == 6 * 40 * 64 * period and active[-1][1] == 0
    assert integral(signals["chip.core0.array0.active_7_7"]) == 6 * 40 * period
    assert integral(signals["chip.core0.array0.stream"]) == 6 * 40 * period
    assert integral(signals["chip.core0.array0.push"]) >= 6 * 8 * period
    assert any(value != 0 for _, value in signals["chip.core0.array0.sum_7_7"])


def test_waveform_of_the_memory_counts_its_bytes(tmp_path):
    run(tmp_path / "r", "--system", "tpu-v1", "--workload", "mlp1", "--zoom", "dram", "--vcd",
        "--trace", "none")
    signals = read_waveform(tmp_path / "r" / "waveform.vcd")
    with open(tmp_path / "r" / "memory.csv", encoding="utf-8", newline="") as file:
        dram = next(r for r in csv.DictReader(file) if r["level"] == "dram")
    channels = [s for s in signals if s.endswith(".data")]
    seconds = sum(integral(signals[s]) for s in channels) * 1e-12 / len(channels)
    moved = float(dram["read_bytes"]) + float(dram["write_bytes"])
    assert abs(moved / (float(dram["peak_gb_per_s"]) * 1e9) / seconds - 1) < 0.02


def test_wrong_units_and_operators_are_named(tmp_path):
    words = ["--system", "systolic-8x8", "--workload", "gemm:m=8;n=8;k=8"]
    assert 'did you mean "core0.array0"' in run(tmp_path / "r", *words, "--zoom", "core0.aray0",
                                                code=2)
    assert "no operator" in run(tmp_path / "r", *words, "--zoom-op", "conv", code=2)
    assert "no unit is zoomed" in run(tmp_path / "r", *words, "--vcd", code=2)
    assert not (tmp_path / "r").exists()
