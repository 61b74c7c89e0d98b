// SPDX-License-Identifier: Apache-2.0
// Whether Tensor Cores have added up what they should: a row and a column with real values go
// through as many steps of the dot-product unit as the SM executed for one accumulator, and the sum
// is compared with the exact product of the whole row and column.
#pragma once

#include <string>
#include <vector>

#include "models/gpu/dot_product_unit.h"

namespace siliscope {

class ProductCheck {
 public:
  /// `contraction`: elements of the row, as the problem has them.
  /// Of a `sparse` one the row is pruned 2:4 and compressed, and meets what is selected of the
  /// column.
  ProductCheck(const DotProductUnit& unit, DataType type, std::int64_t contraction, bool sparse);

  /// Throws InternalError where `contracted` elements, which is what was executed, don't add up to
  /// the product within the precision of the unit.
  void Check(std::int64_t contracted, const std::string& kernel);
  /// Results that were compared.
  std::uint64_t checked() const { return checked_; }

 private:
  DotProductUnit unit_;
  std::vector<double> row_, column_;
  long double exact_ = 0;
  double bound_ = 0;
  std::int64_t last_ = -1;  ///< contracted in the check before
  double last_sum_ = 0;
  std::uint64_t checked_ = 0;
};

}  // namespace siliscope
