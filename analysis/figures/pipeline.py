# SPDX-License-Identifier: Apache-2.0
"""Micro-operations of a CPU's core over time, as pipeline diagrams show them: a row each."""
import json
import os

import matplotlib
import pandas as pd

from analysis.style import plt

PROCESS = 7  # as traces name it
COLOURS = {"load": "#38a169", "load miss": "#c53030", "store": "#dd6b20", "fma": "#6b46c1",
           "float multiply": "#6b46c1", "float add": "#2b6cb0", "integer": "#a0aec0", "branch": "#4a5568"}


def table(summaries, count):
    """One row a micro-operation, in program order: cycles of entry, issue, result, retirement."""
    rows = []
    for s in summaries:
        with open(os.path.join(s["folder"], "trace.json"), encoding="utf-8") as file:
            events = [e for e in json.load(file)["traceEvents"] if e["pid"] == PROCESS and e["ph"] == "X"]
        runs = {e["args"]["number"]: e for e in events if e["name"] == "runs"}
        whole = sorted((e for e in events if e["name"] != "runs"), key=lambda e: e["args"]["number"])
        first = whole[0]["ts"]
        for e in whole[:count]:
            run = runs[e["args"]["number"]]
            rows.append({"run": s["label"], "number": e["args"]["number"], "micro_op": e["name"],
                         "entry": e["ts"] - first, "issue": run["ts"] - first,
                         "result": run["ts"] + run["dur"] - first, "end": e["ts"] + e["dur"] - first})
    return pd.DataFrame(rows)


def draw(rows, labels):
    """Grey: in the window; coloured: from issue to result."""
    figure, panels = plt.subplots(len(labels), 1, squeeze=False,
                                  figsize=(9.6, 1.2 + 0.12 * len(rows) + 0.5 * len(labels)))
    seen = list(dict.fromkeys(rows.micro_op))
    for panel, label in zip(panels[:, 0], labels):
        part = rows[rows.run == label]
        panel.barh(part.number, part.end - part.entry, left=part.entry, height=0.8, color="#edf2f7")
        least = part.end.max() / 400  # what takes a cycle is seen all the same
        for name in seen:
            mine = part[part.micro_op == name]
            panel.barh(mine.number, (mine.result - mine.issue).clip(lower=least), left=mine.issue,
                       height=0.8, color=COLOURS.get(name, "#d53f8c"))
        panel.set_yticks(part.number, part.micro_op, fontsize=5.5)
        panel.set_ylim(part.number.max() + 0.6, -0.6)
        panel.set_title(label, fontsize=8, loc="left", fontweight="normal")
        panel.grid(axis="y", visible=False)
    panels[-1, 0].set_xlabel("cycles from the entry of the first micro-operation")
    patches = [matplotlib.patches.Patch(color=COLOURS.get(n, "#d53f8c"), label=n) for n in seen]
    patches.append(matplotlib.patches.Patch(color="#edf2f7", label="in the window"))
    figure.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncol=7, fontsize=8)
    return figure
