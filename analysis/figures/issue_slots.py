# SPDX-License-Identifier: Apache-2.0
"""Where the issue slots of an SM go, a bar a run: the longest kernel of each."""
import os

import pandas as pd

from analysis.style import bars_to_100, legend_below, plt

COLORS = {"selected": "#2b6cb0", "wait": "#90cdf4", "math_pipe_throttle": "#dd6b20",
          "memory_pipe_throttle": "#f6ad55", "short_scoreboard": "#38a169",
          "long_scoreboard": "#9ae6b4", "tensor": "#6b46c1", "barrier": "#d53f8c",
          "no_instruction": "#718096", "no_warp": "#e2e8f0"}


def table(summaries):
    """One row a run: percent of the issue slots by what they were spent on."""
    rows = []
    for summary in summaries:
        kernels = pd.read_csv(os.path.join(summary["folder"], "kernels.csv"))
        longest = kernels.loc[(kernels.end_us - kernels.begin_us).idxmax()]
        row = {"label": summary["label"], "kernel": longest.kernel, "time_us": summary["time_us"]}
        row.update({f"{name}_pct": longest[f"{name}_pct"] for name in COLORS})
        rows.append(row)
    return pd.DataFrame(rows)


def draw(rows):
    """Stacked horizontal bars."""
    figure, axes = plt.subplots(figsize=(8.4, 0.9 + 0.5 * len(rows)))
    left = [0.0] * len(rows)
    for name, color in COLORS.items():
        share = rows[f"{name}_pct"]
        if share.max() < 0.5:
            continue
        axes.barh(range(len(rows)), share, left=left, color=color, label=name.replace("_", " "))
        left = [a + b for a, b in zip(left, share)]
    bars_to_100(axes, rows.label, "percent of the issue slots of an SM")
    legend_below(figure, axes, 5)
    return figure
