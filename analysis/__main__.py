# SPDX-License-Identifier: Apache-2.0
"""Draws course figures by id, or the figures of a folder of results.

Called by `siliscope figures [ID...] [--of DIR] --out DIR`.
"""
import argparse
import os
import sys

from analysis import experiments, results
from analysis.style import FigureError


def main():
    """Parses the words that the program passes on; returns its exit code."""
    parser = argparse.ArgumentParser(prog="siliscope figures")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--of", default="")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    try:
        if options.of:
            written = results.draw_folder(options.of, options.out)
        else:
            written = experiments.draw(options.ids, options.out)
    except FigureError as error:
        print(f"siliscope: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"siliscope: {error.filename}: {error.strerror}", file=sys.stderr)
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
