# SPDX-License-Identifier: Apache-2.0
"""Systems side by side: throughput, and throughput for what each has to work with."""
import numpy as np

from analysis.style import legend_below, plt

PANELS = [("samples_per_s", "samples/s"), ("samples_per_s_per_peak_tops", "samples/s per peak TOPS"),
          ("samples_per_s_per_gb_per_s", "samples/s per GB/s of memory"),
          ("samples_per_s_per_watt", "samples/s per watt of TDP")]


def draw(table, title):
    """Draws a comparison.csv: a panel a metric, a group a workload, with the geometric mean."""
    table = table[table.samples_per_s.notna()]
    systems = list(dict.fromkeys(table.system))
    workloads = list(dict.fromkeys(table.workload))
    groups = workloads + (["geometric mean"] if len(workloads) > 1 else [])
    figure, panels = plt.subplots(1, len(PANELS), figsize=(11.5, 3.6))
    for axes, (column, words) in zip(panels, PANELS):
        width = 0.8 / len(systems)
        for s, system in enumerate(systems):
            rows = table[table.system == system].set_index("workload")[column].reindex(workloads)
            values = list(rows)
            if len(workloads) > 1:
                values.append(np.exp(np.log(rows).mean()) if rows.notna().all() else np.nan)
            at = np.arange(len(groups)) + (s - (len(systems) - 1) / 2) * width
            bars = axes.bar(at, np.nan_to_num(values), width * 0.92, label=system)
            axes.bar_label(bars, [f"{v:.3g}" if v == v else "n/a" for v in values], fontsize=7)
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low / 2, high * 2)
        axes.set_xticks(range(len(groups)), [str(g).split("/")[-1] for g in groups])
        axes.grid(axis="x", visible=False)
        axes.set_title(words, fontsize=9, loc="left")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    legend_below(figure, panels[0], 6)
    return figure
