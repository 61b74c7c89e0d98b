# SPDX-License-Identifier: Apache-2.0
"""Many ranks: what each does when, and operators beside collectives."""
import json
import os
import re
import tempfile

import pandas as pd

from analysis.figures.links import program
from analysis.style import duration, finish, legend_below, plt, settings

COLOURS = {"compute": "#2b6cb0", "collective": "#dd6b20", "send": "#6b46c1"}


def simulate(run):
    """The trace's events and the summary of a run on a system."""
    words = [part for key in ("dtype", "batch", "seq", "parallel") if key in run for part in (f"--{key}", run[key])]
    words += [part for key, value in run.get("dim", {}).items() for part in ("--dim", f"{key}={value}")]
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "r")
        program("run", "--system", run["system"], "--workload", run["workload"], *words, "--out", out,
                *settings(run.get("set", {})))
        with open(os.path.join(out, "trace.json"), encoding="utf-8") as file:
            events = [e for e in json.load(file)["traceEvents"] if e["ph"] == "X"]
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            return events, json.load(file)


def pipelines(experiment):
    """A row a rank: micro-batches that it computes, what it exchanges, and where it waits."""
    frames = []
    runs = experiment["runs"]
    figure, panels = plt.subplots(len(runs), 1, figsize=(9, 1.9 * len(runs) + 0.6), sharex=True)
    for axes, run in zip(panels, runs):
        events, summary = simulate(run)
        shades = plt.get_cmap("Blues")
        for e in events:
            if e["cat"] == "receive":
                continue
            batch = int((re.search(r"micro-batch (\d+)", e["name"]) or [0, "0"])[1])
            kind = e["cat"] if e["cat"] in COLOURS else "collective"
            share = batch / max(1, summary["microbatches"] - 1) if summary["microbatches"] > 1 else 0.5
            colour = shades(0.35 + 0.55 * share) if kind == "compute" else COLOURS[kind]
            height = 0.8 if kind == "compute" else 0.3
            axes.broken_barh([(e["ts"] / 1e3, e["dur"] / 1e3)], (e["pid"] - height / 2, height), color=colour, lw=0)
            frames.append({"run": run["label"], "rank": e["pid"], "kind": kind, "micro_batch": batch,
                           "begin_us": e["ts"], "length_us": e["dur"]})
        axes.set_yticks(range(summary["chips"]), [f"rank {r}" for r in range(summary["chips"])], fontsize=7)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        waits = summary["waiting_us"] / summary["time_us"]
        axes.text(1, 1.01, f"{run['label']}: {duration(summary['time_us'])}, waiting {100 * waits:.0f}%",
                  transform=axes.transAxes, ha="right", va="bottom", fontsize=8)
    panels[-1].set_xlabel("milliseconds")
    for kind, label in (("compute", "computing (darker: later micro-batches)"), ("collective", "collective"),
                        ("send", "sending to the next stage")):
        panels[-1].broken_barh([(0, 0)], (0, 0), color=COLOURS[kind], label=label)
    legend_below(figure, panels[-1], 3)
    return figure, panels[0], pd.DataFrame(frames)


def overlap(experiment):
    """An operator and a collective alone, and both at once on the same chips."""
    rows = []
    for run in experiment["runs"]:
        for part in simulate(run)[1]["parts"]:
            rows.append({"run": run["label"], **part})
    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(figsize=(8.4, 1.4 + 0.62 * len(table)))
    places = range(len(table))
    alone = axes.barh([p - 0.2 for p in places], table.alone_us / 1e3, height=0.36, label="alone", color="#a0aec0")
    beside = axes.barh([p + 0.2 for p in places], table.beside_us / 1e3, height=0.36, label="both at once")
    axes.bar_label(alone, [duration(t) for t in table.alone_us], fontsize=7, padding=3)
    axes.bar_label(beside, [f"{duration(b)}  ({100 * (b / a - 1):+.0f}%)" for a, b in zip(table.alone_us, table.beside_us)],
                   fontsize=7, padding=3)
    axes.set_yticks(places, [f"{r.run}\n{r['name']}" + (f", holds {r.channels} SMs" if r.channels else "")
                             for _, r in table.iterrows()], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, table.beside_us.max() / 1e3 * 1.2)
    axes.set_xlabel("milliseconds")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right", fontsize=8)
    return figure, axes, table


KINDS = {"pipelines": pipelines, "overlap": overlap}


def draw(experiment, out, name):
    """Draws one experiment of ranks."""
    figure, axes, table = KINDS[experiment["kind"]](experiment)
    return finish(figure, axes, experiment, out, name, table)
