# SPDX-License-Identifier: Apache-2.0
"""Where the cycles go: stacked bars of 100%, a bar a run or an operator."""
from analysis.style import CAUSES, bars_to_100, legend_below, plt, text_on


def draw(labels, shares, title, height=0.42, chip_words=None):
    """Draws shares (a mapping of cause to percent for each label), largest block first. `chip_words`:
    what a kind of chip calls the causes, where all bars are of one."""
    figure, axes = plt.subplots(figsize=(8.4, 1.5 + height * len(labels)))
    left = [0.0] * len(labels)
    for cause, (words, colour) in CAUSES.items():
        widths = [share.get(cause, 0.0) for share in shares]
        if max(widths, default=0) < 0.05:
            continue
        axes.barh(range(len(labels)), widths, left=left, color=colour, height=0.72, label=(chip_words or {}).get(cause, words),
                  edgecolor="white", linewidth=0.5)
        for i, (at, width) in enumerate(zip(left, widths)):
            if width >= 4:
                axes.text(at + width / 2, i, f"{width:.0f}", ha="center", va="center", fontsize=8,
                          color=text_on(colour))
        left = [a + b for a, b in zip(left, widths)]
    bars_to_100(axes, labels, "percent of the units' time")
    axes.set_title(title, loc="left")
    legend_below(figure, axes, 3 if chip_words else 6)
    return figure
