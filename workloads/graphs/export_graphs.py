# SPDX-License-Identifier: Apache-2.0
"""Exports the ONNX graphs of this folder: shapes and operators, without weights.

    apt-get install python3-torch python3-torchvision python3-onnx
    python3 workloads/graphs/export_graphs.py [FOLDER]

Weights keep their shapes only: each becomes external data whose file does not exist.
"""
import os
import sys
import tempfile

import onnx
import torch
import torchvision

NETWORKS = ["resnet18", "resnet50", "mobilenet_v2", "vgg16"]


def strip_weights(model, smallest=128):
    """Takes the values of all but small tensors away."""
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) <= smallest * 4:
            continue
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "weights_left_out"
    return model


def export(name, folder):
    """Writes FOLDER/NAME.onnx at batch 1, 3x224x224."""
    network = getattr(torchvision.models, name)(weights=None).eval()
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        torch.onnx.export(network, torch.zeros(1, 3, 224, 224), file.name, opset_version=17,
                          input_names=["input"], output_names=["output"])
        model = strip_weights(onnx.load(file.name))
    path = os.path.join(folder, name + ".onnx")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for network_name in NETWORKS:
        export(network_name, target)
