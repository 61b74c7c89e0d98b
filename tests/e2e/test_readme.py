# SPDX-License-Identifier: Apache-2.0
"""Every command of the README runs (those with files of the reader's own are run elsewhere)."""
import os
import re
import shlex
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def commands():
    """The lines of the README's code blocks that call the program."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    for block in re.findall(r"```\n(.*?)```", text, re.S):
        for line in block.splitlines():
            line = line.split("   #")[0].strip()
            if line.startswith("./siliscope "):
                yield line


@pytest.mark.parametrize("line", [c for c in commands() if not c.startswith(("./siliscope test", "./siliscope demo"))])
def test_command(line, tmp_path):
    words = shlex.split(line)[1:]
    if "path/to/network.onnx" in words:
        words = [w.replace("path/to/network.onnx", os.path.join(ROOT, "workloads/graphs/resnet18.onnx"))
                 for w in words if w not in ("--dim", "seq=128")]
    if "list.csv" in words:
        (tmp_path / "list.csv").write_text("id,chip,op,dtype,shape,launch\n1,tpu-v1,gemm,int8,m=8;n=8;k=8,kernel\n")
    if "out" in words:  # the figures of a run
        subprocess.run([os.path.join(ROOT, "siliscope"), "run", "--system", "tpu-v1", "--workload", "mlp1",
                        "--no-advice"], check=True, cwd=tmp_path, capture_output=True)
    if any(w.startswith("measured/") for w in words):
        subprocess.run([os.path.join(ROOT, "siliscope"), "measure-cpu", "--out", "measured"], check=True,
                       cwd=tmp_path, capture_output=True)
    for folder in {w.split("/")[0] for w in words if w.startswith("out-") and "/" in w}:  # of an earlier command
        before = next(c for c in commands() if f"--out {folder}" in c)
        subprocess.run([os.path.join(ROOT, "siliscope"), *shlex.split(before)[1:]], check=True, cwd=tmp_path,
                       capture_output=True)
    words = [os.path.join(ROOT, w) if w.startswith(("configs/", "workloads/")) else w for w in words]
    done = subprocess.run([os.path.join(ROOT, "siliscope"), *words], capture_output=True, text=True,
                          cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


def test_speeds_can_be_measured_again():
    """A GEMM of 4096^3 on an A100 takes under 0.5 s of CPU time from an empty store, and under 1 GiB."""
    done = subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "tests/bench/speed.py"), "GEMM of 4096"],
                          capture_output=True, text=True, check=True)
    empty, full, memory = re.search(r"A100 +([0-9.]+) s +([0-9.]+) s +([0-9]+) MiB", done.stdout).groups()
    assert 0 < float(full) and float(empty) < 0.5 and int(memory) < 1024
