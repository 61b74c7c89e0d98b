# SPDX-License-Identifier: Apache-2.0
"""Runs of GPUs through the command line, and what they wrote."""
import csv
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def siliscope(*arguments):
    return subprocess.run([os.path.join(ROOT, "siliscope"), *arguments], capture_output=True,
                          text=True, check=False)


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kernel_us(system, workload, out, *options):
    done = siliscope("run", "--system", system, "--workload", workload, "--no-advice", "--trace",
                     "none", "--out", str(out), *options)
    assert done.returncode == 0, done.stderr
    return [float(k["end_us"]) - float(k["begin_us"]) for k in rows_of(out / "kernels.csv")]


def cycles_per_step(system, workload, out, *options):
    done = siliscope("run", "--system", system, "--workload", workload, "--no-advice", "--trace",
                     "none", "--out", str(out), *options)
    assert done.returncode == 0, done.stderr
    return float(rows_of(out / "kernels.csv")[0]["cycles_per_step"])


def errors_pct(table, out, *options):
    """By shape, of a table of measurements that ships with the simulator."""
    done = siliscope("validate", os.path.join(ROOT, "configs/measurements", table), "--out", str(out),
                     *options)
    assert done.returncode == 0, done.stderr
    return {(row["chip"], row["shape"]): float(row["error_pct"])
            for row in rows_of(out / "rows.csv")}
