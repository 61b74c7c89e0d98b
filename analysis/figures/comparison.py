# SPDX-License-Identifier: Apache-2.0
"""Systems side by side: throughput, and throughput for what each has to work with."""
import numpy as np

from analysis.style import legend_below, number, plt

PANELS = [("samples_per_s", "samples/s"), ("samples_per_s_per_peak_tops", "samples/s per peak TOPS"),
          ("samples_per_s_per_gb_per_s", "samples/s per GB/s of memory"),
          ("samples_per_s_per_watt", "samples/s per watt of TDP")]


def draw(table, title):
    """Draws a comparison.csv: a panel a metric, a group a workload, with the geometric mean."""
    table = table[table.samples_per_s.notna()]
    systems = list(dict.fromkeys(table.system))
    workloads = list(dict.fromkeys(table.workload))
    groups = workloads + (["geometric mean"] if len(workloads) > 1 else [])
    columns = 4 if len(groups) * len(systems) <= 4 else 2
    rows = len(PANELS) // columns
    figure, panels = plt.subplots(rows, columns, figsize=(11.5, 0.6 + 3.0 * rows), squeeze=False)
    for axes, (column, words) in zip(panels.flat, PANELS):
        draw_panel(axes, table, systems, workloads, column)
        axes.set_xticks(range(len(groups)), [str(g).rsplit("/", maxsplit=1)[-1] for g in groups])
        axes.grid(axis="x", visible=False)
        axes.set_title(words, fontsize=9, loc="left")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    legend_below(figure, panels.flat[0], 6)
    return figure


def draw_panel(axes, table, systems, workloads, column):
    """Bars of one metric, on a logarithmic axis from a power of ten."""
    width = 0.8 / len(systems)
    floor, ceiling = [], []
    drawn = []
    for s, system in enumerate(systems):
        per_workload = table[table.system == system].set_index("workload")[column].reindex(workloads)
        values = list(per_workload)
        if len(workloads) > 1:
            complete = per_workload.notna().all()
            values.append(np.exp(np.log(per_workload).mean()) if complete else np.nan)
        at = np.arange(len(values)) + (s - (len(systems) - 1) / 2) * width
        drawn.append((at, values, system))
        known = [v for v in values if v == v and v > 0]
        floor += known
        ceiling += known
    low = 10.0 ** np.floor(np.log10(min(floor) / 1.5)) if floor else 0.1
    axes.set_yscale("log")
    axes.set_ylim(low, (max(ceiling) if ceiling else 1) * 2.5)
    for at, values, system in drawn:
        heights = [v if v == v else low for v in values]
        axes.bar(at, heights, width * 0.92, label=system)
        for x, value, height in zip(at, values, heights):
            text = number(value) if value == value else "none"
            axes.text(x, height * 1.06, text, ha="center", va="bottom", fontsize=7)
