# SPDX-License-Identifier: Apache-2.0
"""Gantt chart of units from a trace: what each unit did when, and what it waited for."""
import pandas as pd

from analysis.style import CAUSES, legend_below, plt

COLOURS = {"load": "#c53030", "store": "#dd6b20", "push": "#ecc94b", "matmul": "#2f855a",
           "vector": "#3182ce", "synchronise": "#90cdf4", "launch": "#a0aec0"}


def table(trace, until=None):
    """The slices of the chart: unit, begin and length in microseconds, what it did."""
    names = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"]
             if e["ph"] == "M" and e["name"] == "thread_name" and e["pid"] == 2}
    rows = [{"unit": names[e["tid"]], "begin_us": e["ts"], "length_us": e["dur"], "activity": e["cat"],
             "name": e["name"]}
            for e in trace["traceEvents"] if e["ph"] == "X" and e["pid"] == 2 and e["tid"] in names
            and e["dur"] > 0 and (until is None or e["ts"] <= until)]
    return pd.DataFrame(rows)


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
        begin = event["ts"]
        if until is not None and begin > until:
            continue
        waits = event["cat"] == "wait"
        words, colour = event["cat"], COLOURS.get(event["cat"], "#718096")
        if waits:
            words, colour = CAUSES[event["name"].removeprefix("waits: ")]
        label = f"waits: {words}" if waits else words
        axes.barh(order.index(event["tid"]), event["dur"], left=begin, height=0.3 if waits else 0.7,
                  color=colour, alpha=0.6 if waits else 1.0, label=None if label in shown else label, linewidth=0)
        shown.add(label)
    axes.set_yticks(range(len(order)), [names[t] for t in order])
    axes.invert_yaxis()
    axes.set_xlim(0, until)
    axes.set_xlabel("microseconds")
    axes.grid(axis="y", visible=False)
    axes.set_title(title, loc="left")
    legend_below(figure, axes, 6)
    return figure
