# SPDX-License-Identifier: Apache-2.0
"""Levels of a memory: bandwidth, latency, and what they ask of the threads, beside a source's table."""
import pandas as pd

from analysis.style import number, plt

ELEMENT_BYTES = 16  # loaded a thread: x and y in double precision


def table(summaries, experiment):
    """One row a level. A run gives a level's bandwidth (its `bytes` over its time), another its
    latency (cycles of a load that waits for the one before; a whole copy's time where there is none).
    """
    rows = {}
    for s in summaries:
        row = rows.setdefault(s["series"], {"level": s["series"]})
        if s["x"] == "bandwidth":
            row["gb_per_s"] = s["bytes"] / s["time_us"] / 1e3
            continue
        kernels = pd.read_csv(f"{s['folder']}/kernels.csv")
        cycles = kernels.cycles_per_step.max()
        row["latency_ns"] = (cycles / s["clock_mhz"] if cycles > 0 else s["time_us"]) * 1e3
    flops = experiment["tflops"]
    for name, row in rows.items():
        source = experiment["levels"][name]
        row.update(source_gb_per_s=source["gb_per_s"], source_latency_ns=source["latency_ns"])
        for prefix in ("", "source_"):
            bandwidth, latency = row[f"{prefix}gb_per_s"], row[f"{prefix}latency_ns"]
            row[f"{prefix}threads"] = bandwidth * latency / ELEMENT_BYTES
            row[f"{prefix}flop_per_element"] = flops * 1e3 / bandwidth * ELEMENT_BYTES
    return pd.DataFrame(rows.values())


def draw(rows):
    """Four panels of bars, a pair a level: simulated, and by the source's arithmetic."""
    panels = [("gb_per_s", "GB/s"), ("latency_ns", "ns of a load"),
              ("threads", "threads that keep it busy"), ("flop_per_element", "FLOP an element of 16 B")]
    figure, axes = plt.subplots(1, 4, figsize=(10.4, 3.4))
    for panel, (metric, label) in zip(axes, panels):
        for offset, prefix, name in ((-0.2, "", "simulated"), (0.2, "source_", "the course")):
            bars = panel.bar([i + offset for i in range(len(rows))], rows[prefix + metric], 0.38, label=name)
            panel.bar_label(bars, labels=[number(round(v)) for v in rows[prefix + metric]], fontsize=6.5,
                            rotation=90, padding=2)
        panel.set_yscale("log")
        low, high = panel.get_ylim()
        panel.set_ylim(low, high * 8)
        panel.set_xticks(range(len(rows)), rows.level)
        panel.set_xlabel(label)
        panel.grid(axis="x", visible=False)
    axes[-1].legend(fontsize=7, loc="upper left")
    return figure
