# SPDX-License-Identifier: Apache-2.0
"""Roofline: attainable performance over arithmetic intensity, a roof for each memory level."""
import numpy as np

from analysis.style import plt

LEVELS = {"dram": "#c53030", "shared_memory": "#dd6b20", "host_link": "#6b46c1",
          "scratchpad": "#718096"}


def draw(table, title, level="dram", numbered=8):
    """Draws a roofline.csv: log-log roofs, points of operators at `level`, the largest numbered."""
    roofs = table[table.kind == "roof"]
    points = table[(table.kind == "operator") & (table.level == level)].copy()
    if points.empty:  # what does not go through that memory is seen at the next level that moves bytes
        for other in ("host_link", "shared_memory", "scratchpad"):
            points = table[(table.kind == "operator") & (table.level == other)].copy()
            level = other if not points.empty else level
            if not points.empty:
                break
    figure, axes = plt.subplots(figsize=(8.4, 4.6))
    low = min(1.0, points.intensity_flop_per_byte.min() / 2) if not points.empty else 0.1
    high = max(1e4, points.intensity_flop_per_byte.max() * 2) if not points.empty else 1e5
    x = np.logspace(np.log10(low), np.log10(high), 200)
    compute = roofs[roofs.level.isna() | (roofs.level == "")]
    top = compute.roof_flop_per_s.max()
    for height, equal in compute.groupby("roof_flop_per_s"):
        axes.axhline(height, color="#1a202c", linewidth=1)
        axes.text(high, height * 1.06, f"{', '.join(equal.dtype)} {height / 1e12:.3g} TFLOP/s",
                  ha="right", fontsize=8)
    for roof in roofs[roofs.level.isin(LEVELS)].itertuples():
        y = np.minimum(x * roof.bandwidth_bytes_per_s, top)
        axes.plot(x, y, color=LEVELS[roof.level], linewidth=1.4, linestyle="-" if roof.level == level
                  else "--", label=f"{roof.level} {roof.bandwidth_bytes_per_s / 1e9:.4g} GB/s")
    points = points.sort_values("flop", ascending=False).reset_index(drop=True)
    if not points.empty:
        axes.scatter(points.intensity_flop_per_byte, points.performance_flop_per_s,
                     s=18, color=LEVELS[level], alpha=0.75, zorder=3)
    lines = []
    for i, p in points.head(numbered).iterrows():
        axes.annotate(str(i + 1), (p.intensity_flop_per_byte, p.performance_flop_per_s),
                      textcoords="offset points", xytext=(4, 4), fontsize=8)
        lines.append(f"{i + 1}  {shorten(p['name'])}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    floor = points.performance_flop_per_s.min() / 4 if not points.empty else top / 1e4
    axes.set_ylim(max(floor, top / 1e7), top * 2.5)
    axes.set_xlabel(f"arithmetic intensity: executed FLOP per byte through {level}")
    axes.set_ylabel("FLOP/s")
    axes.set_title(title, loc="left")
    axes.legend(loc="lower right", fontsize=8)
    if lines:
        axes.text(1.02, 1.0, "largest operators\n" + "\n".join(lines), transform=axes.transAxes,
                  va="top", fontsize=8, family="monospace")
    return figure


def shorten(name, length=26):
    """The telling end of an ONNX node name."""
    name = str(name).strip("/")
    return name if len(name) <= length else "…" + name[-length + 1:]
