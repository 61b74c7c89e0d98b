# SPDX-License-Identifier: Apache-2.0
"""Links between chips: packets by size, copies and collectives by size, pairs of chips, tori."""
import csv
import json
import os
import random
import subprocess
import tempfile

import numpy as np
import pandas as pd

from analysis.style import FigureError, fault, finish, plt, settings, text_on

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZES = {2 ** 10: "KiB", 2 ** 20: "MiB", 2 ** 30: "GiB"}


def program(*words):
    """What the program prints."""
    path = os.environ.get("SILISCOPE_PROGRAM", os.path.join(ROOT, "build", "siliscope"))
    done = subprocess.run([path, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FigureError(fault(done), done.returncode)
    return done.stdout


def size_text(value):
    """2097152 -> "2 MiB"."""
    for scale, unit in reversed(SIZES.items()):
        if value >= scale:
            return f"{value / scale:g} {unit}"
    return f"{value:g} B"


def size_axis(axes, sizes):
    """A logarithmic axis of bytes."""
    axes.set_xscale("log", base=2)
    ticks = [s for i, s in enumerate(sorted(set(sizes))) if i % -(-len(set(sizes)) // 9) == 0]
    axes.set_xticks(ticks, [size_text(t) for t in ticks])
    axes.minorticks_off()


def operators(rows, overrides=None):
    """Simulates collectives in one call: rows of (system, op, shape); returns microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "ops.csv"), os.path.join(folder, "out.csv")
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "chip", "op", "dtype", "shape", "launch"])
            for i, (system, op, shape) in enumerate(rows):
                writer.writerow([i, system, op, "fp16", shape, "stream"])
        program("ops", path, "--out", out, *settings(overrides or {}))
        return pd.read_csv(out).simulated_us.tolist()


def link_packets(experiment):
    """Data of all bytes on the wire over the payload of a packet, flit by flit."""
    rows = []
    for kind in experiment["links"]:
        for both in (False, True):
            for packet in experiment["packets"]:
                done = json.loads(program("link", "--kind", kind, "--packet", packet, "--bytes", "256KiB",
                                          *(["--both"] if both else [])))
                rows.append({"link": kind, "directions": 2 if both else 1, "packet_bytes": packet,
                             "data_pct": 100 * done["data_gb_per_s"] / done["raw_gb_per_s"]})
    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    for (kind, directions), part in table.groupby(["link", "directions"], sort=False):
        axes.plot(part.packet_bytes, part.data_pct, marker="o",
                  label=f"simulated: {kind}, {'both directions' if directions == 2 else 'one direction'}")
    x = np.array(experiment["packets"])
    axes.plot(x, 100 * x / (x + 16), "--", color="#718096", label="arithmetic: data / (data + 16 B header)")
    for value in experiment["course"]:
        axes.plot(value["packet"], value["pct"], "+", color="#1a202c", markersize=12,
                  label=f"course: {value['pct']}% at {value['packet']} B")
    size_axis(axes, x)
    axes.set_xlabel("data of a packet")
    axes.set_ylabel("percent of the link's rate that is data")
    axes.legend(fontsize=8)
    return figure, axes, table


def collective_sizes(experiment):
    """Time or bandwidth of a collective over its size, a line a series."""
    low, high = experiment["from_bytes"], experiment["to_bytes"]
    sizes = [2 ** k for k in range(int(low).bit_length() - 1, int(high).bit_length())]
    frames = []
    for series in experiment["series"]:
        asked = [(series["system"], series["op"], f"bytes={s};{series.get('shape', '')}".rstrip(";")) for s in sizes]
        times = operators(asked, series.get("set"))
        frames.append(pd.DataFrame({"series": series["label"], "bytes": sizes, "time_us": times}))
    table = pd.concat(frames, ignore_index=True)
    table["gb_per_s"] = table.bytes / table.time_us / 1e3 * experiment.get("factor", 1)
    figure, axes = plt.subplots(figsize=(8.4, 4.4))
    for i, (series, part) in enumerate(table.groupby("series", sort=False)):
        axes.plot(part.bytes, part[experiment["metric"]], marker="o" if i < 6 else "s", markersize=4, label=series,
                  linestyle="-" if i < 6 else ":")
    for line in experiment.get("lines", []):
        axes.axhline(line["value"], linestyle="--", linewidth=1, color="#718096")
        axes.text(sizes[0], line["value"], line["label"], fontsize=7, va="bottom", color="#4a5568")
    size_axis(axes, sizes)
    axes.set_yscale("log")
    axes.set_xlabel("bytes")
    axes.set_ylabel(experiment["axis"])
    axes.legend(fontsize=8)
    return figure, axes, table


def pair_matrices(experiment):
    """Bandwidth of a copy between every two chips of each system."""
    frames = []
    for system in experiment["systems"]:
        pairs = [(a, b) for a in range(system["chips"]) for b in range(system["chips"]) if a != b]
        size = experiment["bytes"]
        times = operators([(system["name"], "copy", f"bytes={size};from={a};to={b}") for a, b in pairs])
        frames.append(pd.DataFrame({"system": system["name"], "from": [a for a, _ in pairs],
                                    "to": [b for _, b in pairs], "gb_per_s": [size / t / 1e3 for t in times]}))
    table = pd.concat(frames, ignore_index=True)
    figure, axes = plt.subplots(1, len(experiment["systems"]), figsize=(3.3 * len(experiment["systems"]), 3.6))
    for axis, system in zip(np.atleast_1d(axes), experiment["systems"]):
        part = table[table.system == system["name"]]
        matrix = part.pivot(index="from", columns="to", values="gb_per_s").to_numpy()
        image = axis.imshow(matrix, cmap="Blues", vmin=0, vmax=np.nanmax(matrix) * 1.3)
        for (row, column), value in np.ndenumerate(matrix):
            if not np.isnan(value):
                shade = image.cmap(image.norm(value))
                axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=text_on(shade),
                          fontsize=min(7, 64 / system["chips"]))
        axis.set_title(f"{system['name']}\n(GB/s, one direction)", fontsize=9, fontweight="normal")
        axis.set_xticks(range(0, system["chips"], 1 if system["chips"] <= 8 else 2))
        axis.set_yticks(range(0, system["chips"], 1 if system["chips"] <= 8 else 2))
        axis.grid(visible=False)
        axis.set_xlabel("to")
    np.atleast_1d(axes)[0].set_ylabel("from")
    return figure, np.atleast_1d(axes)[0], table


def ring_ranks(experiment):
    """What a rank sends in an all-reduce, over ranks: counted on its link, and 2 (N - 1) / N."""
    rows = []
    for ranks in experiment["ranks"]:
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "r")
            shape = f"all_reduce:bytes={experiment['bytes']};ranks={ranks};algo=ring;protocol=simple"
            program("run", "--system", experiment["system"], "--workload", shape, "--trace", "none",
                    "--no-symmetry", "--out", out)
            with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
                summary = json.load(file)
            links = pd.read_csv(os.path.join(out, "links.csv"))
        sent = links[links.link.str.startswith("chip0 ->")].data_bytes.sum()
        rows.append({"ranks": ranks, "sent_of_bytes": sent / experiment["bytes"],
                     "arithmetic": 2 * (ranks - 1) / ranks, "busbw_gb_per_s": summary["busbw_gb_per_s"],
                     "time_us": summary["time_us"]})
    table = pd.DataFrame(rows)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8))
    left.plot(table.ranks, table.sent_of_bytes, marker="o", label="simulated, counted on the link")
    left.plot(table.ranks, table.arithmetic, "--", color="#718096", label="arithmetic: 2 (N - 1) / N")
    left.set_xlabel("ranks")
    left.set_ylabel("bytes a rank sends / bytes of the all-reduce")
    left.legend(fontsize=8)
    right.plot(table.ranks, table.busbw_gb_per_s, marker="o")
    right.set_xlabel("ranks")
    right.set_ylabel("bus bandwidth, GB/s")
    right.set_ylim(0)
    return figure, left, table


def first_collective(system, workload, overrides):
    """When the first of the workload's collectives ends, in microseconds, and what its threads did, in percent."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "r")
        program("run", "--system", system, "--workload", workload, "--trace", "none", "--out", out, *settings(overrides))
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
    return summary.get("ends_us", [summary["time_us"]])[0], summary["lane_time_pct"]


def collective_sweep(experiment):
    """A collective's time over a number that {x} stands for in workloads and settings, a line a series."""
    rows = []
    for series in experiment["series"]:
        for x in series.get("values", experiment.get("values")):
            overrides = {k: str(v).format(x=x) for k, v in series.get("set", {}).items() if x > 0}
            time, _ = first_collective(series["system"], series["workload"].format(x=x), overrides)
            rows.append({"series": series["label"], "x": x, "time_us": time})
    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    for series, part in table.groupby("series", sort=False):
        axes.plot(part.x, part.time_us / 1e3, marker="o", markersize=4, label=series)
    axes.set_xlabel(experiment["x_axis"])
    axes.set_ylabel("milliseconds")
    axes.set_ylim(0)
    axes.legend(fontsize=8)
    return figure, axes, table.rename(columns={"x": experiment["x_name"]})


def collective_bars(experiment):
    """Times of collectives in trouble, beside the same in peace."""
    rows = []
    for run in experiment["runs"]:
        time, lanes = first_collective(run["system"], run["workload"], run.get("set", {}))
        rows.append({"label": run["label"], "time_us": time, **{f"{k}_pct": v for k, v in lanes.items()}})
    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(figsize=(8.4, 1.2 + 0.5 * len(rows)))
    bars = axes.barh(range(len(rows)), table.time_us / 1e3, height=0.65)
    axes.bar_label(bars, [f"{t / 1e3:.2f} ms" for t in table.time_us], fontsize=8, padding=3)
    axes.set_yticks(range(len(rows)), table.label)
    axes.invert_yaxis()
    axes.set_xlim(0, table.time_us.max() / 1e3 * 1.12)
    axes.set_xlabel("milliseconds")
    axes.grid(axis="y", visible=False)
    return figure, axes, table


def usable_share(rng, blocks, wanted, up, contiguous, trials):
    """Share of wanted slices of `wanted` blocks that can be built of working blocks: any of them, or
    only neighbours in a line."""
    good = 0
    for _ in range(trials):
        works = [rng.random() < up for _ in range(blocks)]
        if not contiguous:
            good += sum(works) // wanted
        else:
            good += sum(all(works[i:i + wanted]) for i in range(0, blocks, wanted))
    return good * wanted / (trials * blocks)


def tori(experiment):
    """A copy to the farthest chip and an all-reduce on networks of many chips, and what rewiring saves
    when hosts fail (hosts drawn at random)."""
    rows = []
    for network in experiment["networks"]:
        asked = [(network["system"], "copy", f"bytes={experiment['copy_bytes']};from=0;to={network['farthest']}")]
        if network.get("all_reduce", True):
            asked.append((network["system"], "all_reduce", f"bytes={experiment['all_reduce_bytes']}"))
        times = operators(asked, network["set"])
        rows.append({"network": network["label"], "chips": network["chips"], "copy_us": times[0],
                     "all_reduce_us": times[1] if len(times) > 1 else None})
    table = pd.DataFrame(rows)
    rng = random.Random(1)
    hosts, per_block, blocks = experiment["hosts_per_block"], experiment["blocks_per_slice"], experiment["blocks"]
    shares = []
    for availability in experiment["availability"]:
        up = availability ** hosts
        for rewired in (True, False):
            shares.append({"availability": availability, "rewired": rewired,
                           "goodput": usable_share(rng, blocks, per_block, up, not rewired, experiment["trials"])})
    shares = pd.DataFrame(shares)
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6))
    for name, part in table.groupby("network", sort=False):
        panels[0].plot(part.chips, part.copy_us, marker="o", label=name)
        if part.all_reduce_us.notna().any():
            panels[1].plot(part.chips, part.all_reduce_us, marker="o", label=name)
    panels[0].set_ylabel(f"copy of {size_text(experiment['copy_bytes'])} to the farthest chip, us")
    panels[1].set_ylabel(f"all-reduce of {size_text(experiment['all_reduce_bytes'])}, us")
    for axis in panels[:2]:
        axis.set_xscale("log", base=2)
        axis.set_ylim(0)
        axis.set_xticks(sorted(set(table.chips)), sorted(set(table.chips)))
        axis.set_xlabel("chips")
        axis.legend(fontsize=7.5)
    for rewired, part in shares.groupby("rewired"):
        panels[2].plot(100 * part.availability, 100 * part.goodput, marker="o",
                       label="optical switches: any blocks" if rewired else "fixed wires: neighbours only")
    panels[2].set_xlabel("availability of a host, percent")
    panels[2].set_ylabel("chips in whole slices, percent")
    panels[2].legend(fontsize=7.5)
    return figure, panels[0], pd.concat([table, shares], ignore_index=True)


KINDS = {"link_packets": link_packets, "collective_sizes": collective_sizes, "pair_matrices": pair_matrices,
         "ring_ranks": ring_ranks, "collective_bars": collective_bars, "collective_sweep": collective_sweep, "tori": tori}


def draw(experiment, out, name):
    """Draws one experiment of links."""
    figure, axes, table = KINDS[experiment["kind"]](experiment)
    return finish(figure, axes, experiment, out, name, table)
