# SPDX-License-Identifier: Apache-2.0
"""GEMMs on a 128x128 array with hidden preload and drain, against ONNXim's cycles (one core, simple
memory and network; a simulator, not hardware)."""
import csv
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# m, k, n: cycles that ONNXim prints
CYCLES = {(1024, 1024, 1024): 67101, (128, 128, 128): 798, (128, 3072, 768): 22045,
          (128, 768, 2304): 15133, (128, 768, 3072): 19742, (1, 1024, 4096): 33704,
          (2048, 2048, 2048): 526877, (256, 256, 256): 1823, (512, 512, 512): 9246}
# Its first push takes 2 x 128 - 1 cycles; its memory answers in tens of cycles at 512 B a cycle.
SETTINGS = {"memory.kind": "ideal", "memory.latency": "30 ns", "memory.bandwidth": "512 GB/s",
            "array.push_latency": 127, "unified_buffer.read_ports": 8, "unified_buffer.write_ports": 8,
            "vector_unit.latency": 0, "vector_unit.alus": 64, "mapping.output_block_rows": 128}


def test_gemms(tmp_path):
    lines = ["id,chip,op,dtype,shape,launch"]
    lines += [f"{i},systolic-128x128,gemm,fp16,m={m};k={k};n={n},kernel" for i, (m, k, n) in enumerate(CYCLES)]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    words = [w for key, value in SETTINGS.items() for w in ("--set", f"{key}={value}")]
    subprocess.run([os.path.join(ROOT, "siliscope"), "ops", str(tmp_path / "list.csv"), "--out",
                    str(tmp_path / "o.csv"), *words], check=True, capture_output=True)
    with open(tmp_path / "o.csv", encoding="utf-8", newline="") as file:
        for row, (shape, cycles) in zip(csv.DictReader(file), CYCLES.items()):
            # The smallest is one tile, all latency: 4%; the others 2%.
            tolerance = 0.04 if shape == (128, 128, 128) else 0.02
            assert abs(float(row["simulated_us"]) * 1000 / cycles - 1) < tolerance, shape
