// SPDX-License-Identifier: Apache-2.0
#include "workloads/import/onnx_file.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/version_converter/convert.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr int kOldestNative = 6;
constexpr int kNewest = 17;

/// Closes a file descriptor at the end of its scope.
struct File {
  int descriptor;
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

double HalfToDouble(std::uint16_t bits) {
  const int sign = bits >> 15, exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = 0;
  if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else if (exponent == 31) {
    value = fraction == 0 ? INFINITY : NAN;
  } else {
    value = std::ldexp(1024 + fraction, exponent - 25);
  }
  return sign != 0 ? -value : value;
}

double Bfloat16ToDouble(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof value);
  return static_cast<double>(value);
}

template <typename T>
bool ReadRaw(const std::string& raw, std::int64_t count, std::vector<double>* values) {
  if (raw.size() < static_cast<std::size_t>(count) * sizeof(T)) return false;
  for (std::int64_t i = 0; i < count; ++i) {
    T value{};
    std::memcpy(&value, raw.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
    values->push_back(static_cast<double>(value));
  }
  return true;
}

bool RawValues(const onnx::TensorProto& proto, std::int64_t count, std::vector<double>* values) {
  const std::string& raw = proto.raw_data();
  switch (proto.data_type()) {
    case onnx::TensorProto::FLOAT:
      return ReadRaw<float>(raw, count, values);
    case onnx::TensorProto::DOUBLE:
      return ReadRaw<double>(raw, count, values);
    case onnx::TensorProto::INT64:
      return ReadRaw<std::int64_t>(raw, count, values);
    case onnx::TensorProto::UINT64:
      return ReadRaw<std::uint64_t>(raw, count, values);
    case onnx::TensorProto::INT32:
      return ReadRaw<std::int32_t>(raw, count, values);
    case onnx::TensorProto::UINT32:
      return ReadRaw<std::uint32_t>(raw, count, values);
    case onnx::TensorProto::INT16:
      return ReadRaw<std::int16_t>(raw, count, values);
    case onnx::TensorProto::UINT16:
      return ReadRaw<std::uint16_t>(raw, count, values);
    case onnx::TensorProto::INT8:
      return ReadRaw<std::int8_t>(raw, count, values);
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL:
      return ReadRaw<std::uint8_t>(raw, count, values);
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16: {
      if (!ReadRaw<std::uint16_t>(raw, count, values)) return false;
      for (double& v : *values) {
        const auto bits = static_cast<std::uint16_t>(v);
        v = proto.data_type() == onnx::TensorProto::FLOAT16 ? HalfToDouble(bits)
                                                            : Bfloat16ToDouble(bits);
      }
      return true;
    }
    default:
      return false;
  }
}

void ConvertOldOperatorSet(onnx::ModelProto* model, const std::string& path) {
  int version = 0;
  for (const auto& opset : model->opset_import()) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") {
      version = static_cast<int>(opset.version());
    }
  }
  if (version == 0 && model->opset_import_size() == 0) version = 1;
  if (version > kNewest) {
    throw UserError(path + ": operator set " + std::to_string(version) +
                    " is not supported; allowed: 1 to 17");
  }
  if (version == 0 || version >= kOldestNative) return;
  try {
    *model = onnx::version_conversion::ConvertVersion(*model, 9);
  } catch (const std::exception& e) {
    throw UserError(path + ": operator set " + std::to_string(version) +
                    " can't be converted to a newer one: " + std::string(e.what()).substr(0, 160));
  }
}

}  // namespace

onnx::ModelProto ReadOnnxFile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw UserError(path + ": no such file");
  if (!S_ISREG(status.st_mode)) throw UserError(path + ": not a file");
  if (status.st_size == 0) throw UserError(path + ": the file is empty");
  if (status.st_size > 0x7fffffff) {
    throw UserError(path +
                    ": larger than 2 GiB; keep the weights in an external file, or leave "
                    "them out (only their shapes are needed)");
  }
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) throw UserError(path + ": can't be read");
  google::protobuf::SetLogHandler(nullptr);
  google::protobuf::io::FileInputStream stream(file.descriptor);
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(64);
  onnx::ModelProto model;
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage()) {
    throw UserError(path + ": not an ONNX model, or cut short");
  }
  if (!model.has_graph() || model.graph().node_size() == 0) {
    throw UserError(path + ": an ONNX model without any node");
  }
  ConvertOldOperatorSet(&model, path);
  return model;
}

bool TensorValues(const onnx::TensorProto& proto, std::vector<double>* values) {
  std::int64_t count = 1;
  for (const std::int64_t d : proto.dims()) {
    if (d < 0 || d > kLargestKnownConstant) return false;
    count *= d;
    if (count > kLargestKnownConstant) return false;
  }
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) return false;
  values->clear();
  if (proto.has_raw_data()) return RawValues(proto, count, values);
  for (const float v : proto.float_data()) values->push_back(static_cast<double>(v));
  for (const double v : proto.double_data()) values->push_back(v);
  for (const std::int64_t v : proto.int64_data()) values->push_back(static_cast<double>(v));
  for (const std::uint64_t v : proto.uint64_data()) values->push_back(static_cast<double>(v));
  for (const std::int32_t v : proto.int32_data()) {
    const auto bits = static_cast<std::uint16_t>(v);
    values->push_back(proto.data_type() == onnx::TensorProto::FLOAT16    ? HalfToDouble(bits)
                      : proto.data_type() == onnx::TensorProto::BFLOAT16 ? Bfloat16ToDouble(bits)
                                                                         : static_cast<double>(v));
  }
  return static_cast<std::int64_t>(values->size()) == count;
}

DataType OnnxDataType(int type, const std::string& name) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return DataType::kFp32;
    case onnx::TensorProto::DOUBLE:
      return DataType::kFp64;
    case onnx::TensorProto::FLOAT16:
      return DataType::kFp16;
    case onnx::TensorProto::BFLOAT16:
      return DataType::kBf16;
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
      return DataType::kInt64;
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32:
      return DataType::kInt32;
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16:
      return DataType::kInt16;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
      return DataType::kInt8;
    case onnx::TensorProto::BOOL:
      return DataType::kBool;
    default:
      throw UserError(name + ": a tensor of strings, complex numbers or without a type");
  }
}

}  // namespace siliscope
