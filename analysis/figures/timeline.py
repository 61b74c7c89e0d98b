# SPDX-License-Identifier: Apache-2.0
"""Gantt chart of units from a trace: what each unit did when, and what it waited for."""
from analysis.style import legend_below, plt

COLOURS = {"load": "#c53030", "store": "#dd6b20", "push": "#ecc94b", "matmul": "#2f855a",
           "vector": "#3182ce", "synchronise": "#90cdf4", "launch": "#a0aec0"}


def draw(trace, title, until=None):
    """Draws the slices of a Chrome trace (parsed JSON) up to `until` microseconds."""
    names = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"]
             if e["ph"] == "M" and e["name"] == "thread_name" and e["pid"] == 2}
    slices = [e for e in trace["traceEvents"]
              if e["ph"] == "X" and e["pid"] == 2 and e["tid"] in names and e["dur"] > 0]
    order = sorted(names)
    figure, axes = plt.subplots(figsize=(10, 1.4 + 0.34 * len(order)))
    shown = set()
    for event in slices:
        begin = event["ts"] / 1000
        if until is not None and begin > until:
            continue
        waits = event["cat"] == "wait"
        colour = "#edf2f7" if waits else COLOURS.get(event["cat"], "#718096")
        label = "waits" if waits else event["cat"]
        axes.barh(order.index(event["tid"]), event["dur"] / 1000, left=begin, height=0.7,
                  color=colour, label=None if label in shown else label, linewidth=0)
        shown.add(label)
    axes.set_yticks(range(len(order)), [names[t] for t in order])
    axes.invert_yaxis()
    if until is not None:
        axes.set_xlim(0, until)
    axes.set_xlabel("microseconds")
    axes.grid(axis="y", visible=False)
    axes.set_title(title, loc="left")
    legend_below(figure, axes, 8)
    return figure
