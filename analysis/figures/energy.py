# SPDX-License-Identifier: Apache-2.0
"""Where energy goes: simulated counts of operations and accesses, times ratios that a source gives."""
import pandas as pd

from analysis.style import bars_to_100, legend_below, plt, text_on

PARTS = {"operations": ("arithmetic", "#2f855a"), "l1": ("L1", "#90cdf4"), "l2": ("L2", "#4299e1"),
         "l3": ("L3", "#2b6cb0"), "dram": ("off-chip memory", "#c53030")}


def table(runs, experiment):
    """One row a run: counts of operations and of accesses of a word, and percent of the energy."""
    rows = pd.DataFrame({"label": runs.label})
    for part in PARTS:
        words = runs.operations if part == "operations" else runs[f"{part}_bytes"] / experiment["word_bytes"]
        rows[f"{part}_count"] = words
    spent = pd.DataFrame({p: rows[f"{p}_count"] * experiment["relative_energy"][p] for p in PARTS})
    for part in PARTS:
        rows[f"{part}_pct"] = 100 * spent[part] / spent.sum(axis=1)
    return rows


def draw(rows):
    """Stacked horizontal bars with the counts in them."""
    figure, axes = plt.subplots(figsize=(8.4, 1.4 + 0.55 * len(rows)))
    left = [0.0] * len(rows)
    for part, (words, colour) in PARTS.items():
        share = rows[f"{part}_pct"]
        axes.barh(range(len(rows)), share, left=left, color=colour, label=words, height=0.7)
        for i, (at, width, count) in enumerate(zip(left, share, rows[f"{part}_count"])):
            if width >= 9:
                axes.text(at + width / 2, i, f"{count / 1e6:.3g} M", ha="center", va="center", fontsize=7.5,
                          color=text_on(colour))
        left = [a + b for a, b in zip(left, share)]
    bars_to_100(axes, rows.label,
                "percent of the energy, by the source's ratios; in the bars: operations, accesses of a word")
    legend_below(figure, axes, 5)
    return figure
