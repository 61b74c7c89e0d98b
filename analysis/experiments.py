# SPDX-License-Identifier: Apache-2.0
"""Course figures: one YAML an experiment in configs/experiments, by the course's ids.

An experiment names runs (system, workload and options), which the program simulates, and a kind of
figure. Where the course's number is arithmetic, it stands in the YAML and is drawn beside the
simulated point, with the reason why they differ.
"""
import difflib
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

import matplotlib
import numpy as np
import pandas as pd
import yaml

from analysis.figures import (attribution, energy, gantt, issue_slots, links, memory_levels, pipeline, ranks,
                              roofline, timeline, wavefront)
from analysis.style import CAUSES, FigureError, duration, fault, finish, legend_below, plt, settings

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def known():
    """Experiments by id."""
    files = sorted(glob.glob(os.path.join(ROOT, "configs", "experiments", "*.yaml")))
    return {os.path.splitext(os.path.basename(f))[0]: f for f in files}


def simulate(run, folder):
    """Runs the program once; returns the summary with the folder of its results."""
    program = os.environ.get("SILISCOPE_PROGRAM", os.path.join(ROOT, "build", "siliscope"))
    words = [program, "run", "--system", run["system"], "--workload", run["workload"], "--no-advice",
             "--trace", run.get("trace", "none"), "--trace-time", run.get("trace_time", "ns"), "--out", folder]
    for option in ("batch", "dtype", "seq", "launch", "kernel", "zoom"):
        if option in run:
            words += [f"--{option}", str(run[option])]
    if run.get("cold"):
        words.append("--cold")
    words += settings(run.get("set", {}))
    for resource in run.get("ideal", []):
        words += ["--ideal", resource]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FigureError(f"{run['label']}: {fault(done)}", done.returncode)
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    summary.update(label=str(run["label"]), folder=folder, x=run.get("x"),
                   series=run.get("series", ""), expected=run.get("expected"), bytes=run.get("bytes"))
    summary["time_us"] *= run.get("times", 1)  # run so often, one after another
    if "of_gb_per_s" in run:  # bytes that were asked for, of what the memory could have moved
        summary["bus_pct"] = run["bytes"] / summary["time_us"] / 1e3 / run["of_gb_per_s"] * 100
    return summary


def expand(experiment):
    """The runs of an experiment; `sweep` multiplies a template by values of one option. Where it
    was measured, `measured` has a number for each value."""
    runs = list(experiment.get("runs", []))
    for sweep in experiment.get("sweeps", []):
        measured = sweep.get("measured", [None] * len(sweep["values"]))
        for value, expected in zip(sweep["values"], measured):
            run = json.loads(json.dumps(sweep["run"]).replace("$x", str(value)))
            run.update(label=f"{sweep['series']} {value}", x=value, series=sweep["series"],
                       expected=expected)
            runs.append(run)
    return runs


def table_of(summaries):
    """What a figure is drawn from: one row a run."""
    columns = ["label", "series", "x", "workload", "system", "batch", "dtype", "time_us",
               "samples_per_s", "nominal_tops", "peak_tops", "compute_util_pct", "array_active_pct",
               "dram_gb_per_s", "macs_per_weight_byte", "ridge_macs_per_byte", "roofline_us",
               "expected", "bus_pct"]
    rows = []
    for s in summaries:
        row = {c: s.get(c) for c in columns}
        # Bytes of all tensors over the time: what a kernel that passes them through once reaches.
        row["tensor_gb_per_s"] = s["memory_bytes"] / s["time_us"] / 1e3
        row.update({f"{c}_pct": s["array_time_pct"][c] for c in CAUSES})
        loads = re.search(r"loads=(\d+)", s["workload"])
        row["load_ns"] = s["time_us"] * 1e3 / int(loads.group(1)) if loads else None
        row["operations"] = s["nominal_flops"]
        for level in pd.read_csv(os.path.join(s["folder"], "memory.csv")).itertuples():
            moved = level.read_bytes + level.write_bytes
            row[f"{level.level}_bytes"] = moved
            row[f"{level.level}_lines_read"] = level.read_bytes / 64
            row[f"{level.level}_bytes_per_mac"] = moved / max(1, s["nominal_flops"] / 2)
        kernels = os.path.join(s["folder"], "kernels.csv")
        if os.path.exists(kernels):
            row.update(pd.read_csv(kernels)[["cycles_per_step", "register_bytes_per_mac",
                                             "shared_bytes_per_mac"]].max())
        rows.append(row)
    return pd.DataFrame(rows)


def add_gain(table, suffix):
    """How many times faster a series is than the one named so with a suffix, which is left out."""
    base = table.series.str.endswith(" " + suffix)
    times = {(r.series.removesuffix(" " + suffix), r.x): r.time_us for r in table[base].itertuples()}
    rest = table[~base].copy()
    rest["gain"] = [times[r.series, r.x] / r.time_us for r in rest.itertuples()]
    return rest


def draw_bars(experiment, table, _summaries):
    """Bars of a metric, grouped by series, with what the source measured as a band."""
    metric = experiment["metric"]
    figure, axes = plt.subplots(figsize=(8.4, 4.0))
    groups = list(dict.fromkeys(table.series))
    labels = list(dict.fromkeys(table.x.astype(str))) if table.x.notna().all() else [""]
    width = 0.8 / max(1, len(labels))
    for i, label in enumerate(labels):
        part = table[table.x.astype(str) == label] if label else table
        values = part.set_index("series")[metric].reindex(groups)
        at = np.arange(len(groups)) + (i - (len(labels) - 1) / 2) * width
        bars = axes.bar(at, values, width * 0.92, label=label)
        texts = [f"{v:,.0f}" if v >= 1000 else f"{v:.3g}" for v in values]
        marked = part.expected.notna().any()
        axes.bar_label(bars, labels=texts, fontsize=8, padding=7 if marked else 0)
        expected = part.set_index("series").expected.reindex(groups).astype(float)
        if expected.notna().any():
            axes.plot(at, expected, "+", color="#1a202c", markersize=9, label=experiment["marks"])
    for i, band in enumerate(experiment.get("bands", [])):
        at = labels.index(str(band["x"]))
        centres = np.arange(len(groups)) + (at - (len(labels) - 1) / 2) * width
        middle, half = (band["low"] + band["high"]) / 2, (band["high"] - band["low"]) / 2
        axes.errorbar(centres + width * 0.3, [middle] * len(groups), yerr=half, fmt="none", capsize=3,
                      ecolor="#1a202c", elinewidth=1, label="the study's range" if i == 0 else None)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_yscale("log" if experiment.get("log", False) else "linear")
    axes.set_ylabel(experiment["axis"])
    axes.grid(axis="x", visible=False)
    if labels != [""]:
        legend_below(figure, axes, 6)
    return figure, axes


def draw_lines(experiment, table, _summaries):
    """A metric over the swept value, a line a series; arithmetic of the course dashed beside it."""
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    for series in dict.fromkeys(table.series):
        part = table[table.series == series]
        x = part[experiment["x_metric"]] if "x_metric" in experiment else pd.to_numeric(part.x)
        line, = axes.plot(x, part[experiment["metric"]], marker="o", label=f"simulated: {series}")
        if part.expected.notna().any():
            axes.plot(x, part.expected.astype(float), marker="+", markersize=10, linestyle="none",
                      color=line.get_color(), label=f"{experiment.get('marks', 'measured')}: {series}")
        if experiment.get("arithmetic") == "roofline":
            axes.plot(x, part.roofline_us, "--", label=f"arithmetic: roofline, {series}")
    if "arithmetic_line" in experiment:
        axes.axhline(experiment["arithmetic_line"]["value"], linestyle="--", color="#718096",
                     label=experiment["arithmetic_line"]["label"])
    if experiment.get("arithmetic") == "peak":
        axes.axhline(table.peak_tops.max(), linestyle="--", color="#718096",
                     label=f"arithmetic: MACs x clock, {table.peak_tops.max():.3g} TOPS")
    if experiment.get("x_scale", "log") == "log":
        axes.set_xscale("log", base=2)
    if "x_metric" not in experiment:
        ticks = experiment.get("ticks", sorted(set(pd.to_numeric(table.x))))
        axes.set_xticks(ticks, ticks)
    axes.minorticks_off()
    axes.set_yscale("log" if experiment.get("log", True) else "linear")
    axes.set_xlabel(experiment["x_axis"])
    axes.set_ylabel(experiment["axis"])
    axes.legend(fontsize=8)
    return figure, axes


def draw_roofline(experiment, table, _summaries):
    """Whole networks on one roofline in MACs a weight byte, the TPU v1 paper's axes."""
    figure, axes = plt.subplots(figsize=(8.4, 4.4))
    peak, ridge = table.peak_tops.max(), table.ridge_macs_per_byte.max()
    x = np.logspace(0.5, 4, 200)
    axes.plot(x, np.minimum(peak, peak * x / ridge), color="#1a202c",
              label=f"roof: {peak:g} TOPS, knee at {ridge:.0f} MAC per byte of weights")
    for other in experiment.get("roofs", []):
        knee = other["peak_tops"] * 1e3 / 2 / other["gb_per_s"]
        axes.plot(x, np.minimum(other["peak_tops"], other["peak_tops"] * x / knee), "--", linewidth=1,
                  color=other["color"], label=f"arithmetic: roof of {other['name']}")
    palette, marks = matplotlib.colormaps["tab10"].colors, "osD^vPX*"
    for i, series in enumerate(dict.fromkeys(table.series)):
        part = table[table.series == series]
        axes.plot(part.macs_per_weight_byte, part.nominal_tops, marker=marks[i % len(marks)],
                  color=palette[i % len(palette)], markersize=6 if len(part) == 1 else 4, linewidth=0.8,
                  markeredgecolor="white", markeredgewidth=0.4, label=f"simulated: {series}",
                  zorder=4 if len(part) == 1 else 3)
        if part.expected.notna().any():
            axes.plot(part.macs_per_weight_byte, part.expected, marker="+", linestyle="none",
                      markersize=10, color=palette[i % len(palette)], label=f"measured: {series}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("multiply-accumulates per byte of weights")
    axes.set_ylabel("TOPS")
    axes.legend(fontsize=7, loc="lower right", ncol=2)
    return figure, axes


def draw_attribution(_experiment, table, summaries):
    """Where the cycles go, a bar a run."""
    shares = [{c: row[f"{c}_pct"] for c in CAUSES} for _, row in table.iterrows()]
    labels = [f"{row.label}  {duration(row.time_us)}" for row in table.itertuples()]
    words = summaries[0]["cause_words"] if len({s["kind"] for s in summaries}) == 1 else None
    figure = attribution.draw(labels, shares, "", chip_words=words)
    return figure, figure.axes[0]


def draw_timeline(experiment, _table, summaries):
    """The units of the first run over time."""
    with open(os.path.join(summaries[0]["folder"], "trace.json"), encoding="utf-8") as file:
        trace = json.load(file)
    figure = timeline.draw(trace, "", experiment.get("until_us"))
    rows = timeline.table(trace, experiment.get("until_us"))
    return figure, figure.axes[0], rows


def draw_operators(_experiment, _table, summaries):
    """The roofline of the first run's operators."""
    points = pd.read_csv(os.path.join(summaries[0]["folder"], "roofline.csv"))
    figure = roofline.draw(points, "")
    return figure, figure.axes[0], points


def draw_issue_slots(_experiment, _table, summaries):
    """Issue slots of the longest kernel of each run."""
    rows = issue_slots.table(summaries)
    figure = issue_slots.draw(rows)
    return figure, figure.axes[0], rows


def draw_memory_levels(experiment, _table, summaries):
    """Bandwidth and latency of each level, beside the course's."""
    rows = memory_levels.table(summaries, experiment)
    figure = memory_levels.draw(rows)
    return figure, figure.axes[0], rows


def draw_traffic(experiment, table, _summaries):
    """Bytes of each level for a multiply-accumulate, over the runs; the time beside."""
    labels = table.label if table.x.isna().any() else table.x.astype(str)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), width_ratios=[2, 1])
    for level, name in (("register", "registers"), ("shared", "shared memory"), ("l1", "L1"), ("l2", "L2"),
                        ("l3", "L3"), ("dram", "off-chip memory")):
        if f"{level}_bytes_per_mac" not in table or table[f"{level}_bytes_per_mac"].max() == 0:
            continue  # there is none, or all of it stays in the caches
        if level == "l1" and "shared_bytes_per_mac" in table:
            continue  # a GPU's is on the way to the registers
        left.plot(labels, table[f"{level}_bytes_per_mac"], marker="o", label=name)
    left.set_yscale("log")
    left.set_ylabel("bytes a multiply-accumulate")
    left.set_xlabel(experiment.get("x_axis", "tile of a CTA"))
    left.legend(fontsize=8)
    right.bar(labels, table.time_us, width=0.6)
    right.bar_label(right.containers[0], fmt="%.0f", fontsize=8)
    right.set_ylabel("microseconds")
    right.grid(axis="x", visible=False)
    for axes in (left, right):
        axes.tick_params(axis="x", labelsize=7.5)
    return figure, left


def draw_energy(experiment, table, _summaries):
    """Energy of operations and accesses, by ratios over simulated counts."""
    rows = energy.table(table, experiment)
    figure = energy.draw(rows)
    return figure, figure.axes[0], rows


def draw_pipeline(experiment, _table, summaries):
    """Micro-operations of a core over time, a panel a run."""
    rows = pipeline.table(summaries, experiment["micro_ops"])
    figure = pipeline.draw(rows, [s["label"] for s in summaries])
    return figure, figure.axes[0], rows


def draw_gantt(experiment, _table, summaries):
    """Instructions over time, on tracks of warps or of pipes."""
    rows = gantt.table(summaries, experiment["kind"], experiment)
    figure = gantt.draw(rows, [s["label"] for s in summaries])
    return figure, figure.axes[0], rows


KINDS = {"traffic": draw_traffic, "warps": draw_gantt, "pipes": draw_gantt, "energy": draw_energy,
         "memory_levels": draw_memory_levels, "issue_slots": draw_issue_slots, "bars": draw_bars,
         "lines": draw_lines, "pipeline": draw_pipeline,
         "network_roofline": draw_roofline, "attribution": draw_attribution,
         "timeline": draw_timeline, "roofline": draw_operators}


def draw_one(name, path, out):
    """Simulates and draws one experiment."""
    with open(path, encoding="utf-8") as file:
        experiment = yaml.safe_load(file)
    if experiment["kind"] == "wavefront":
        return wavefront.draw(experiment, out, name)
    if experiment["kind"] in links.KINDS:
        return links.draw(experiment, out, name)
    if experiment["kind"] in ranks.KINDS:
        return ranks.draw(experiment, out, name)
    folder = tempfile.mkdtemp(prefix="siliscope-")
    try:
        runs = expand(experiment)
        summaries = [simulate(run, os.path.join(folder, str(i))) for i, run in enumerate(runs)]
        table = table_of(summaries)
        if "gain_over" in experiment:
            table = add_gain(table, experiment["gain_over"])
        figure, axes, *drawn = KINDS[experiment["kind"]](experiment, table, summaries)
        table = drawn[0] if drawn else table  # what the figure was drawn from
        return finish(figure, axes, experiment, out, name, table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def draw(ids, out):
    """Draws the experiments of these ids, or all."""
    every = known()
    for name in ids:
        if name not in every:
            near = difflib.get_close_matches(name, every, 1)
            hint = f'; did you mean "{near[0]}"?' if near else "; known: " + ", ".join(every)
            raise FigureError(f'no figure is called "{name}"{hint}')
    written = []
    for name in ids or every:
        written += draw_one(name, every[name], out)
    return written
