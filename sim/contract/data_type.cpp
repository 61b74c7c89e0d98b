// SPDX-License-Identifier: Apache-2.0
#include "sim/contract/data_type.h"

#include <array>

namespace siliscope {
namespace {

struct Format {
  std::string_view name;
  int bits;
};

constexpr std::array<Format, 14> kFormats = {{{"fp64", 64},
                                              {"fp32", 32},
                                              {"tf32", 32},
                                              {"fp16", 16},
                                              {"bf16", 16},
                                              {"fp8", 8},
                                              {"fp4", 4},
                                              {"int64", 64},
                                              {"int32", 32},
                                              {"int16", 16},
                                              {"int8", 8},
                                              {"int4", 4},
                                              {"int1", 1},
                                              {"bool", 8}}};

}  // namespace

int BitsPerElement(DataType type) { return kFormats[static_cast<std::size_t>(type)].bits; }

std::int64_t BytesOf(DataType type, std::int64_t elements) {
  return (elements * BitsPerElement(type) + 7) / 8;
}

std::string_view DataTypeName(DataType type) {
  return kFormats[static_cast<std::size_t>(type)].name;
}

bool ParseDataType(std::string_view name, DataType* type) {
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    if (kFormats[i].name == name) {
      *type = static_cast<DataType>(i);
      return true;
    }
  }
  return false;
}

std::vector<std::string> DataTypeNames() {
  std::vector<std::string> names;
  names.reserve(kFormats.size());
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

bool IsFloat(DataType type) { return type <= DataType::kFp4; }

}  // namespace siliscope
