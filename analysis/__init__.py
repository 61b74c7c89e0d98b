# SPDX-License-Identifier: Apache-2.0
"""Figures from result files. Nothing here knows a chip; what must be simulated, the program does."""
