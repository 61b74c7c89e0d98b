# SPDX-License-Identifier: Apache-2.0
"""Roofline: attainable performance over arithmetic intensity, a roof for each memory level; each
operator is a point at every level it moves bytes through, in that level's colour."""
import numpy as np

from analysis.style import number, plt, shorten

LEVELS = {"dram": "#c53030", "l2": "#2b6cb0", "shared_memory": "#dd6b20", "host_link": "#6b46c1",
          "scratchpad": "#718096"}
WORDS = {"dram": "off-chip memory", "l2": "L2", "shared_memory": "shared memory", "host_link": "host link",
         "scratchpad": "scratchpads"}


def draw(table, title, numbered=8):
    """Draws a roofline.csv: log-log roofs and points, the largest operators numbered."""
    points = table[table.kind == "operator"]
    level = next((name for name in LEVELS if (points.level == name).any()), "dram")
    figure, axes = plt.subplots(figsize=(8.4, 4.6))
    intensity = points.intensity_flop_per_byte
    low = min(1.0, intensity.min() / 2) if not points.empty else 0.1
    high = max(1e4, intensity.max() * 2) if not points.empty else 1e5
    top = draw_roofs(axes, table[table.kind == "roof"], low, high)
    for name, colour in LEVELS.items():
        part = points[points.level == name]
        axes.scatter(part.intensity_flop_per_byte, part.performance_flop_per_s, color=colour,
                     s=20 if name == level else 8, alpha=0.8 if name == level else 0.45, zorder=3)
    largest = points[points.level == level].sort_values("flop", ascending=False).head(numbered)
    lines = label(axes, largest.reset_index(drop=True))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    floor = points.performance_flop_per_s.min() / 4 if not points.empty else top / 1e4
    axes.set_ylim(max(floor, top / 1e7), top * 2.5)
    axes.set_xlabel("arithmetic intensity: executed operations per byte through the level of that colour")
    axes.set_ylabel("operations a second")
    axes.set_title(title, loc="left")
    axes.legend(loc="lower right", fontsize=8)
    if lines:
        axes.text(1.02, 1.0, "most operations\n" + "\n".join(lines), transform=axes.transAxes,
                  va="top", fontsize=8, family="monospace")
    return figure


def draw_roofs(axes, roofs, low, high):
    """Horizontal roofs of data types, slanted roofs of memory levels. Returns the highest."""
    compute = roofs[roofs.level.isna() | (roofs.level == "")]
    top = compute.roof_flop_per_s.max()
    x = np.logspace(np.log10(low), np.log10(high), 200)
    for height, equal in compute.groupby("roof_flop_per_s"):
        axes.axhline(height, color="#1a202c", linewidth=1)
        axes.text(high, height * 1.08, f"{', '.join(equal.dtype)}: {number(height / 1e12)} T/s", ha="right",
                  fontsize=8, zorder=4,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8})
    for roof in roofs[roofs.level.isin(LEVELS)].itertuples():
        axes.plot(x, np.minimum(x * roof.bandwidth_bytes_per_s, top), color=LEVELS[roof.level],
                  linewidth=1.3,
                  label=f"{WORDS[roof.level]}: {number(roof.bandwidth_bytes_per_s / 1e9)} GB/s")
    return top


def label(axes, points):
    """Numbers the points; those that lie together share a label. Returns the lines of the key."""
    groups = []
    for i, p in points.iterrows():
        at = np.log10([p.intensity_flop_per_byte, p.performance_flop_per_s])
        for group in groups:
            if abs(at[0] - group[0][0]) < 0.12 and abs(at[1] - group[0][1]) < 0.12:
                group[1].append(str(i + 1))
                break
        else:
            groups.append((at, [str(i + 1)]))
    for at, names in groups:
        axes.annotate(" ".join(names), 10 ** at, textcoords="offset points", xytext=(5, 4),
                      fontsize=8, zorder=5)
    return [f"{i + 1}  {shorten(p['name'])}" for i, p in points.iterrows()]
