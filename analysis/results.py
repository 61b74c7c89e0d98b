# SPDX-License-Identifier: Apache-2.0
"""The figures of a folder of results: of one run, or of a comparison."""
import json
import os

import pandas as pd

from analysis.figures import attribution, comparison, roofline, timeline
from analysis.style import CAUSES, FigureError, duration, save, shorten


def read_csv(folder, name):
    """One of the tables of a run."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        raise FigureError(f"{folder}: holds no {name}; is it a folder of results?")
    return pd.read_csv(path)


def operator_shares(operators, most=12):
    """The longest operators' labels and their causes in percent."""
    columns = [f"{cause}_us" for cause in CAUSES]
    longest = operators.sort_values("time_us", ascending=False).head(most)
    labels, shares = [], []
    for row in longest.itertuples():
        total = sum(getattr(row, c) for c in columns) or 1.0
        labels.append(f"{shorten(row.name)}  {duration(row.time_us)}")
        shares.append({c[:-3]: 100 * getattr(row, c) / total for c in columns})
    return labels, shares


def draw_run(folder, out, prefix=""):
    """Roofline, operators and timeline of one run."""
    path = os.path.join(folder, "summary.json")
    if not os.path.exists(path):
        raise FigureError(f"{folder}: holds no results of `run` or `compare`")
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    what = f"{summary['workload']}, batch {summary['batch']}, {summary['dtype']} on {summary['system']}"
    table = read_csv(folder, "roofline.csv")
    written = save(roofline.draw(table, what), out, prefix + "roofline", table)
    operators = read_csv(folder, "operators.csv")
    labels, shares = operator_shares(operators)
    drawn = attribution.draw(labels, shares, what + ": longest operators",
                             chip_words=summary["cause_words"])
    written += save(drawn, out, prefix + "operators", operators)
    trace = os.path.join(folder, "trace.json")
    if os.path.exists(trace) and os.path.getsize(trace) < 40e6:
        with open(trace, encoding="utf-8") as file:
            events = json.load(file)
        if events["otherData"]["time_unit"] == "ns":
            written += save(timeline.draw(events, what + ": units over time"), out,
                            prefix + "timeline", timeline.table(events))
    return written


def draw_folder(folder, out):
    """Draws whatever kind of result the folder holds."""
    if not os.path.isdir(folder):
        raise FigureError(f"{folder}: no such folder of results")
    if not os.path.exists(os.path.join(folder, "comparison.csv")):
        return draw_run(folder, out)
    table = read_csv(folder, "comparison.csv")
    good = table[table.samples_per_s.notna()]
    batch = ", ".join(str(int(b)) for b in sorted(set(good.batch)))
    written = save(comparison.draw(table, f"throughput, batch {batch}"), out, "comparison", table)
    labels = [f"{str(r.workload).split('/')[-1]} on {r.system}" for r in good.itertuples()]
    shares = [{cause: getattr(r, f"{cause}_pct") for cause in CAUSES} for r in good.itertuples()]
    written += save(attribution.draw(labels, shares, "where the time goes"), out, "attribution",
                    good)
    for name in sorted(os.listdir(folder)):
        run = os.path.join(folder, name)
        if os.path.exists(os.path.join(run, "summary.json")):
            written += draw_run(run, out, name + "-")
    return written
