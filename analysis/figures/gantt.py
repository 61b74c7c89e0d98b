# SPDX-License-Identifier: Apache-2.0
"""Instructions of an SM's warps, or of its pipes, over time: a panel a run."""
import json
import os

import matplotlib
import pandas as pd

from analysis.style import plt

PROCESSES = {"warps": 5, "pipes": 6}  # as traces name them
COLOURS = {"load global": "#c53030", "store global": "#dd6b20", "cp.async": "#ecc94b", "mma": "#6b46c1",
           "wgmma": "#6b46c1", "load shared": "#38a169", "store shared": "#9ae6b4", "fp32": "#2b6cb0",
           "fp64": "#2c5282", "fp16": "#63b3ed", "special function": "#d53f8c", "integer": "#cbd5e0",
           "barrier": "#1a202c", "load constant": "#a0aec0", "uniform": "#a0aec0", "loop": "#718096"}


def table(summaries, kind, experiment):
    """One row an instruction: run, track, begin and length in nanoseconds from the first one shown."""
    rows = []
    for s in summaries:
        with open(os.path.join(s["folder"], "trace.json"), encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
        names = {e["tid"]: e["args"]["name"] for e in events
                 if e["ph"] == "M" and e["name"] == "thread_name" and e["pid"] == PROCESSES[kind]}
        mine = [e for e in events if e["ph"] == "X" and e["pid"] == PROCESSES[kind]
                and (not experiment.get("tracks") or any(t in names[e["tid"]] for t in experiment["tracks"]))]
        first = min(e["ts"] for e in mine) + experiment.get("from_ns", 0) / 1e3
        until = first + experiment["until_ns"] / 1e3
        rows += [{"run": s["label"], "track": names[e["tid"]], "number": e["tid"],
                  "begin_ns": (e["ts"] - first) * 1e3, "length_ns": max(e["dur"] * 1e3, 0.4),
                  "instruction": e["name"]} for e in mine if first <= e["ts"] < until]
    return pd.DataFrame(rows).sort_values(["run", "number", "begin_ns"], kind="stable")


def draw(rows, labels):
    """Panels below each other, on one scale of time."""
    tracks = {label: list(dict.fromkeys(rows[rows.run == label].track)) for label in labels}
    heights = [max(2, len(tracks[label])) for label in labels]
    figure, panels = plt.subplots(len(labels), 1, sharex=True, squeeze=False,
                                  figsize=(10, 1.2 + 0.5 * len(labels) + 0.17 * sum(heights)),
                                  height_ratios=heights)
    seen = list(dict.fromkeys(rows.instruction))
    spare = matplotlib.colormaps["tab20"].colors
    for panel, label in zip(panels[:, 0], labels):
        part = rows[rows.run == label]
        for name in seen:
            mine = part[part.instruction == name]
            colour = COLOURS.get(name, spare[seen.index(name) % 20])
            panel.barh([tracks[label].index(t) for t in mine.track], mine.length_ns, left=mine.begin_ns,
                       height=0.8, color=colour, edgecolor="white", linewidth=0.2)
        panel.set_yticks(range(len(tracks[label])), tracks[label], fontsize=6)
        panel.set_ylim(max(2, len(tracks[label])) - 0.4, -0.6)
        panel.set_title(label, fontsize=8, loc="left", fontweight="normal")
        panel.grid(axis="y", visible=False)
    panels[-1, 0].set_xlabel("nanoseconds")
    patches = [matplotlib.patches.Patch(color=COLOURS.get(n, spare[seen.index(n) % 20]), label=n)
               for n in seen]
    figure.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncol=6, fontsize=8)
    return figure
