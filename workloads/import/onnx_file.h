// SPDX-License-Identifier: Apache-2.0
// Opens an ONNX file: size limits, protobuf, old operator sets through the version converter.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "workloads/ir/graph.h"

namespace siliscope {

/// Throws UserError where the file is not a model we can read.
onnx::ModelProto ReadOnnxFile(const std::string& path);

/// The values of a small tensor; false where it is external, too large, or of a type without
/// numbers.
bool TensorValues(const onnx::TensorProto& proto, std::vector<double>* values);

/// The IR's data type; throws UserError (strings, complex numbers).
DataType OnnxDataType(int type, const std::string& name);

/// Constants up to this many elements are known by value.
inline constexpr std::int64_t kLargestKnownConstant = 1 << 16;

}  // namespace siliscope
