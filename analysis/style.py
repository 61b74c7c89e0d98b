# SPDX-License-Identifier: Apache-2.0
"""One look for all figures, and files that are the same byte for byte on every run."""
import os
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of backend)

plt.rcParams.update({
    "figure.dpi": 120, "savefig.dpi": 120, "font.size": 9, "axes.titlesize": 11,
    "axes.titleweight": "bold", "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e3e3e3", "axes.axisbelow": True, "legend.frameon": False,
    "svg.hashsalt": "siliscope", "figure.constrained_layout.use": True, "axes.prop_cycle":
    plt.cycler(color=["#2b6cb0", "#dd6b20", "#2f855a", "#b83280", "#6b46c1", "#718096"])})

# Causes of a unit's time, from work to waiting; colours are the same in every figure.
CAUSES = {
    "compute": ("computing", "#2f855a"), "quantisation": ("tile edges, partial waves", "#9ae6b4"),
    "fill_drain": ("fill, drain, push", "#f6e05e"), "operand": ("operand supply", "#ecc94b"),
    "dependency": ("dependency, vector unit", "#ed8936"), "memory_bandwidth": ("memory bandwidth", "#c53030"),
    "memory_latency": ("memory latency", "#fc8181"), "communication": ("host", "#6b46c1"),
    "synchronisation": ("synchronisation", "#4299e1"), "launch": ("launch", "#a0aec0"),
    "idle": ("idle", "#edf2f7")}


class FigureError(Exception):
    """A user's mistake, or a run that failed; carries the exit code."""

    def __init__(self, message, code=2):
        super().__init__(message)
        self.code = code


def text_on(colour):
    """Black or white, whichever reads better on a colour."""
    red, green, blue = matplotlib.colors.to_rgb(colour[:3] if isinstance(colour, tuple) else colour)
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"


def duration(microseconds):
    """42500 -> "42.5 ms"."""
    for limit, unit, scale in ((1, "ns", 1e-3), (1e3, "us", 1), (1e6, "ms", 1e3)):
        if microseconds < limit:
            return f"{microseconds / scale:.3g} {unit}"
    return f"{microseconds / 1e6:.3g} s"


def number(value):
    """Three figures, without an exponent: 18,900 or 0.0123."""
    if value == 0 or not abs(value) < 1e15:
        return f"{value:g}"
    return f"{float(f'{value:.3g}'):,.10g}"


def shorten(name, length=30):
    """The telling part of an ONNX node name: "/layer1/layer1.0/conv2/Conv" -> "layer1.0/conv2"."""
    parts = [p for p in str(name).split("/") if p]
    kept = [p for p, after in zip(parts, parts[1:] + [""]) if not after.startswith(p)]
    if len(kept) > 1 and kept[-1][:1].isupper():
        kept.pop()
    text = "/".join(kept)
    return text if len(text) <= length else text[:length // 3] + "…" + text[-(length - length // 3 - 1):]


def settings(values):
    """`--set` words of a mapping, with YAML's spelling of true and false."""
    words = []
    for key, value in values.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        words += ["--set", f"{key}={text}"]
    return words


def fault(done):
    """The program's own message, without its name in front."""
    return done.stderr.strip().removeprefix("siliscope: ")


def bars_to_100(axes, labels, words):
    """The axes of horizontal bars that sum to 100%, the first one on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(words)
    axes.grid(axis="y", visible=False)


def legend_below(figure, axes, columns):
    """One legend under the whole figure, with the labels of `axes`."""
    figure.legend(*axes.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0.0),
                  ncol=columns, fontsize=8)


def note_below(figure, text):
    """Small print under the legend, wrapped to the figure's width."""
    width, height = figure.get_size_inches()
    lines = textwrap.fill(" ".join(text.split()), int(width * 16.5))
    rows = 1
    if figure.legends:
        legend = figure.legends[0]
        rows = -(-len(legend.get_texts()) // legend._ncols)  # pylint: disable=protected-access
    figure.text(0.01, -(0.12 + 0.22 * rows) / height, lines, va="top", fontsize=7.5, color="#4a5568")


def finish(figure, axes, experiment, folder, name, table):
    """An experiment's title above, its note below, and its files."""
    title = textwrap.fill(f"{name}  {experiment['title']}", 90)
    if len(figure.axes) > 1:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    else:
        axes.set_title(title, loc="left")
    if "note" in experiment:
        note_below(figure, experiment["note"])
    return save(figure, folder, name, table)


def save(figure, folder, name, table=None):
    """Writes NAME.png, NAME.svg and, where given, the table it was drawn from as NAME.csv."""
    os.makedirs(folder, exist_ok=True)
    written = []
    for kind in ("png", "svg"):
        path = os.path.join(folder, f"{name}.{kind}")
        metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        figure.savefig(path, metadata=metadata, bbox_inches="tight", pad_inches=0.12)
        written.append(path)
    plt.close(figure)
    if table is not None:
        path = os.path.join(folder, f"{name}.csv")
        table.to_csv(path, index=False, float_format="%.9g", lineterminator="\n")
        written.append(path)
    return written
