# SPDX-License-Identifier: Apache-2.0
"""The house itself: schemas, floors and wings, formatting, and that models name no chip."""
import glob
import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = sorted(f for folder in ("sim", "models", "workloads", "traces")
                 for kind in ("h", "cpp")
                 for f in glob.glob(os.path.join(ROOT, folder, "**", f"*.{kind}"), recursive=True))
FLOORS = ["sim/core/", "sim/contract/", "sim/config/", "sim/run/", "sim/cli/"]
WINGS = ["models/", "workloads/", "traces/"]


def relative(path):
    return os.path.relpath(path, ROOT)


@pytest.mark.parametrize("kind, folder", [("chip", "chips"), ("memory", "memory"), ("system", "systems"), ("link", "links"), ("tuner", "hosts/tuners"),
                                          ("collectives", "hosts/collectives")])
def test_schemas_are_the_programs_own_and_fit_every_file(kind, folder):
    """The committed schema is what the fields of the Specs say, and every shipped file meets it."""
    with open(os.path.join(ROOT, "configs", "schema", f"{kind}.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    printed = subprocess.run([os.path.join(ROOT, "siliscope"), "schema", kind], capture_output=True,
                             text=True, check=True).stdout
    assert json.loads(printed) == schema, f"run: siliscope schema {kind} > configs/schema/{kind}.schema.json"
    for path in glob.glob(os.path.join(ROOT, "configs", folder, "*.yaml")):
        with open(path, encoding="utf-8") as file:
            jsonschema.validate(yaml.safe_load(file), schema)


def numbers_of(section, path=()):
    """The paths of all numbers of a schema's section."""
    for key, value in section["properties"].items():
        if value.get("type") == "object" and "properties" in value and "required" in value:
            yield from numbers_of(value, path + (key,))
        elif key not in ("source", "confidence"):
            yield path + (key,), value


def looked_up(document, path):
    """A value and the nearest source that stands at it or above it."""
    source, node = document.get("source"), document
    for key in path:
        if not isinstance(node, dict) or key not in node:
            return None, None
        node = node[key]
        source = node.get("source", source) if isinstance(node, dict) else source
    return node, source


# Left out, these mean "none", "never the limit" or "as the number beside it".
MEANINGFUL_WHEN_ABSENT = ("runs_as", "default_dtype", "peak_clock", "lock_clock", "base_clock", "neighbour", "power", "tdp",
                          "kernel_library", "l2.clock", "l2.link", "l2.gpc_port", "l2.far_latency", "memory", "published_peak",
                          "description", "launch", "tensor_core.shared", "tensor_core.sparse", "matrix_library",
                          "core.wide_clock", "core.macs_per_lane", "core.interval", "cluster.read", "cluster.write")
# Sections of some chips only.
SECTIONS_OF_SOME = ("tensor_core", "host_link", "l2", "l3", "numa", "matrix_unit")


def chips_of(kind):
    for path in sorted(glob.glob(os.path.join(ROOT, "configs", "chips", "*.yaml"))):
        with open(path, encoding="utf-8") as file:
            if yaml.safe_load(file)["kind"] == kind:
                yield path


@pytest.mark.parametrize("chip", [*chips_of("gpu"), *chips_of("cpu")], ids=os.path.basename)
def test_every_number_of_a_gpu_or_cpu_has_a_source(chip):
    """A number stands in the chip's file or in the defaults of its kind, below a source; no default hides in the code."""
    with open(chip, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    kind = document["kind"]
    with open(os.path.join(ROOT, "configs", "defaults", f"{kind}.yaml"), encoding="utf-8") as file:
        defaults = yaml.safe_load(file)
    with open(os.path.join(ROOT, "configs", "schema", "chip.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    schema = schema["then"] if kind == "gpu" else schema["else"]["then"]
    for path, _ in numbers_of(schema):
        if path[0] in SECTIONS_OF_SOME and path[0] not in document:
            continue
        value, source = looked_up(document, path)
        if value is None:
            value, source = looked_up(defaults, path)
        name = ".".join(path)
        if value is None:
            assert name.startswith(MEANINGFUL_WHEN_ABSENT), f"{name} stands nowhere"
        else:
            assert source, f"{name} has no source"


def leaves_of(node, source=None, confidence=None, path=""):
    """Each value of a document with the nearest source and confidence."""
    if not isinstance(node, dict):
        yield path, node, source, confidence
        return
    source, confidence = node.get("source", source), node.get("confidence", confidence)
    for key, value in node.items():
        if key not in ("source", "confidence"):
            yield from leaves_of(value, source, confidence, f"{path}.{key}")


@pytest.mark.parametrize("folder", ["systems", "links", "hosts", "hosts/collectives", "hosts/tuners"])
def test_every_number_of_a_system_or_link_has_a_source_and_no_assumption_passes_for_more(folder):
    for path in sorted(glob.glob(os.path.join(ROOT, "configs", folder, "*.yaml"))):
        with open(path, encoding="utf-8") as file:
            document = yaml.safe_load(file)
        for name, _, source, confidence in leaves_of(document):
            where = f"{os.path.basename(path)}: {name}"
            assert source and confidence in ("high", "medium", "low"), where
            assert not source.startswith("assumed") or confidence == "low", where


def test_includes_never_point_up_a_floor_or_across_a_wing():
    for path in SOURCES:
        here = relative(path)
        for include in re.findall(r'^#include "([^"]+)"', open(path, encoding="utf-8").read(), re.M):
            wing = next((w for w in WINGS if here.startswith(w)), None)
            other = next((w for w in WINGS if include.startswith(w)), None)
            floor = next((i for i, f in enumerate(FLOORS) if here.startswith(f)), None)
            target = next((i for i, f in enumerate(FLOORS) if include.startswith(f)), None)
            assert not (floor is not None and other), f"{here} -> {include}"
            assert not (floor is not None and target is not None and target > floor), f"{here} -> {include}"
            assert not (wing and other and wing != other), f"{here} -> {include}"


def test_models_name_no_chip_and_no_operator():
    """(d) No chip's and no network operator's name stands in the models."""
    chips = [os.path.splitext(os.path.basename(f))[0]
             for f in glob.glob(os.path.join(ROOT, "configs", "chips", "*.yaml"))]
    operators = ["conv2d", "softmax", "layer_norm", "attention", "resnet", "gemm"]
    for path in SOURCES:
        if not relative(path).startswith("models/"):
            continue
        text = open(path, encoding="utf-8").read().lower()
        for name in chips + operators:
            assert not re.search(rf'(?<![a-z0-9_]){re.escape(name)}(?![a-z0-9_])', text), f"{relative(path)}: {name}"


def test_sources_are_formatted():
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *SOURCES], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


def test_every_experiment_says_what_it_shows():
    for path in glob.glob(os.path.join(ROOT, "configs", "experiments", "*.yaml")):
        with open(path, encoding="utf-8") as file:
            experiment = yaml.safe_load(file)
        assert {"title", "kind", "source"} <= set(experiment), path


def test_figures_are_drawn_and_the_same_on_every_run(tmp_path):
    program = os.path.join(ROOT, "siliscope")
    for out in ("a", "b"):
        subprocess.run([program, "figures", "E41", "E46", "E44", "--out", str(tmp_path / out)], check=True,
                       capture_output=True)
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    import csv
    with open(tmp_path / "a" / "E41.csv", encoding="utf-8") as file:
        active = [0] * 7
        for r in csv.DictReader(file):
            active[int(r["cycle"]) - 1] += int(r["active"])
    assert active == [1, 3, 6, 7, 6, 3, 1]  # the diagonal wave, seven cycles = 3N - 2
    with open(tmp_path / "a" / "E44.csv", encoding="utf-8") as file:
        used = {(r["series"], r["x"]): float(r["compute_util_pct"]) for r in csv.DictReader(file)}
    for network in ("resnet50", "mobilenet_v2", "vgg16"):
        one, four, sixteen = (used[network, x] for x in ("1x 256x256", "4x 128x128", "16x 64x64"))
        assert 1.4 <= four / one <= 1.9 and sixteen / four <= 1.15, network
