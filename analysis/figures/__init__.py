# SPDX-License-Identifier: Apache-2.0
"""Kinds of figures, one file each. Each takes tables and axes and draws; none of them simulates."""
