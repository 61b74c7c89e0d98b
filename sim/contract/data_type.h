// SPDX-License-Identifier: Apache-2.0
// Number formats of tensors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace siliscope {

enum class DataType : std::uint8_t {
  kFp64,
  kFp32,
  kTf32,
  kFp16,
  kBf16,
  kFp8,
  kFp4,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kInt4,
  kInt1,
  kBool,
};

/// Storage bits of one element. tf32 is stored in 32 bits; bool in 8, int1 in 1.
int BitsPerElement(DataType type);

/// Bytes of `elements` elements, packed below a byte and rounded up once.
std::int64_t BytesOf(DataType type, std::int64_t elements);

/// "fp32", "int8", ...
std::string_view DataTypeName(DataType type);

/// The type of that name; false where there is none.
bool ParseDataType(std::string_view name, DataType* type);

/// All names, in the order of the enumeration.
std::vector<std::string> DataTypeNames();

bool IsFloat(DataType type);

}  // namespace siliscope
