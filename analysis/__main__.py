# SPDX-License-Identifier: Apache-2.0
"""Draws course figures by id, or the figures of a folder of results.

Called by `siliscope figures [ID...] [--of DIR] --out DIR`.
"""
import argparse
import os
import shutil
import sys
import tempfile

from analysis import experiments, results
from analysis.style import FigureError


MARK = ".siliscope-figures"


def draw_whole(options):
    """Draws into a folder of its own, then moves the files in: all of them, or none."""
    out = options.out
    if os.path.isdir(out) and os.listdir(out) and not os.path.exists(os.path.join(out, MARK)):
        raise FigureError(f"{out}: is not a folder of figures; name another with --out", 2)
    parent = os.path.dirname(os.path.abspath(out))
    os.makedirs(parent, exist_ok=True)
    staging = tempfile.mkdtemp(prefix=".figures-", dir=parent)
    try:
        if options.of:
            drawn = results.draw_folder(options.of, staging)
        else:
            drawn = experiments.draw(options.ids, staging)
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, MARK), "w", encoding="ascii"):
            pass
        written = []
        for path in drawn:
            written.append(os.path.join(out, os.path.relpath(path, staging)))
            os.replace(path, written[-1])
        return written
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def main():
    """Parses the words that the program passes on; returns its exit code."""
    parser = argparse.ArgumentParser(prog="siliscope figures")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--of", default="")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    try:
        written = draw_whole(options)
    except FigureError as error:
        print(f"siliscope: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"siliscope: {options.out}: can't be written: {error.strerror}", file=sys.stderr)
        return 74
    except KeyboardInterrupt:
        return 130
    try:
        for name in written:
            print(f"drawn: {name}", flush=True)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


sys.exit(main())
