# SPDX-License-Identifier: Apache-2.0
"""The wave of operands through a systolic array: which processing elements work in which cycle,
from the cycle zoom's own record (`siliscope wavefront`)."""
import json
import os
import subprocess

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation, PillowWriter

from analysis.style import FigureError, fault, note_below, plt, save, settings


def simulate(experiment):
    """Frames of the cycle zoom: for each cycle, which elements were active and their sums."""
    words = [os.environ["SILISCOPE_PROGRAM"], "wavefront", "--system", experiment["system"],
             "--m", str(experiment["m"]), "--k", str(experiment["k"]), "--n", str(experiment["n"])]
    words += settings(experiment.get("set", {}))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FigureError(fault(done), done.returncode)
    return json.loads(done.stdout)


def draw(experiment, out, name):
    """Frames at chosen cycles as one picture, and all of them as an animation."""
    record = simulate(experiment)
    frames = [np.array(f["active"]) for f in record["frames"]]
    chosen = experiment.get("cycles", range(1, len(frames) + 1))
    figure, panels = plt.subplots(1, len(chosen), figsize=(1.5 * len(chosen) + 0.6, 2.4))
    for axes, cycle in zip(np.atleast_1d(panels), chosen):
        paint(axes, record, cycle)
    figure.suptitle(f"{name}  {experiment['title']}: {record['cycles']} cycles", x=0.01, ha="left",
                    fontweight="bold", fontsize=10)
    if "note" in experiment:
        note_below(figure, experiment["note"])
    rows = [{"cycle": i + 1, "row": r, "column": c, "active": int(f[r][c]),
             "sum": record["frames"][i]["sums"][r][c]}
            for i, f in enumerate(frames) for r in range(f.shape[0]) for c in range(f.shape[1])]
    written = save(figure, out, name, pd.DataFrame(rows))
    moving, axes = plt.subplots(figsize=(3, 3.2))

    def show(i):
        axes.clear()
        paint(axes, record, i + 1)

    path = os.path.join(out, f"{name}.gif")
    FuncAnimation(moving, show, frames=len(frames)).save(path, writer=PillowWriter(fps=2))
    plt.close(moving)
    return written + [path]


def paint(axes, record, cycle):
    """One cycle: elements at work are green and show their sums; finished results stay in grey."""
    frame = record["frames"][cycle - 1]
    active = np.array(frame["active"])
    stays = record["dataflow"] == "output_stationary"
    axes.imshow(active, cmap="Greens", vmin=0, vmax=1.6)
    if active.shape[0] <= 8:
        for r in range(active.shape[0]):
            for c in range(active.shape[1]):
                text, colour = f"{frame['sums'][r][c]:g}", "black"
                later = any(f["active"][r][c] for f in record["frames"][cycle - 1:])
                if stays and not later:
                    text, colour = f"{record['product'][r * record['n'] + c]:g}", "#718096"
                axes.text(c, r, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.set_title(f"T = {cycle}", fontsize=9)
