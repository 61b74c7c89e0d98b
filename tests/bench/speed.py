#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU seconds and peak memory of whole simulations, with an empty and with a full store of tile costs.

    python3 tests/bench/speed.py [PART OF A NAME ...]
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUPERPOD = ["--set", "topology.nodes=128", "--set", "topology.scale_out.nodes_per_leaf=128"]
ROWS = {
    "GEMM of 4096^3, A100": ["a100-sxm-80gb", "gemm:m=4096;n=4096;k=4096"],
    "ResNet-50, batch 1, A100": ["a100-sxm-80gb", "resnet50"],
    "ResNet-50, batch 32, A100": ["a100-sxm-80gb", "resnet50", "--batch", "32"],
    "Llama 2 7B layer, prefill of 2048, A100": ["a100-sxm-80gb", "llama2_7b_layer", "--seq", "2048"],
    "GEMM of 1024^3 at cycle zoom, A100": ["a100-sxm-80gb", "gemm:m=1024;n=1024;k=1024", "--zoom", "sms"],
    "ResNet-50, EPYC 9654": ["epyc-9654", "resnet50"],
    "all-reduce of 1 GiB, 1024 H100": ["superpod-h100", "all_reduce:bytes=1GiB;algo=ring", *SUPERPOD],
}


def cpu_seconds(words, store):
    """Of one run of the program, and its peak memory in MiB."""
    system, workload, *rest = words
    with tempfile.TemporaryDirectory() as out:
        process = subprocess.Popen([os.path.join(ROOT, "build", "siliscope"), "run", "--system", system, "--workload", workload,
                                    "--no-advice", "--trace", "none", "--out", out, *rest],
                                   env={**os.environ, "SILISCOPE_STORE": store}, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{system} {workload}: exit code {process.returncode}")
        return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    wanted = sys.argv[1:]
    print(f"{'':42s}{'empty store':>14s}{'full store':>14s}{'memory':>10s}")
    for name, words in ROWS.items():
        if wanted and not any(part in name for part in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, "costs.sqlite")
            first, _ = cpu_seconds(words, store)
            again, memory = cpu_seconds(words, store)
        print(f"{name:42s}{first:12.2f} s{again:12.2f} s{memory:6.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
