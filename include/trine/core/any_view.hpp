// SPDX-License-Identifier: Apache-2.0
// A matrix of weights as it is stored: element type known at run time, memory borrowed from the weight source.
#pragma once

#include <cstddef>

#include <trine/core/dtype.hpp>

namespace trine::inline TRINE_ABI {

/// Row-major [rows, columns] of `dtype`; for a weight that is [out, in]. Borrows from whoever mapped the file.
struct AnyMatrix {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;

  [[nodiscard]] std::size_t parameters() const noexcept { return rows * columns; }
  [[nodiscard]] std::size_t bytes() const noexcept { return parameters() * size_bytes(dtype); }

  /// Calls `use(const T* data)` with the elements as what they are.
  template <class Use>
  decltype(auto) visit(Use&& use) const {
    return visit_dtype(dtype,
                       [&]<class T>(const T*) -> decltype(auto) { return use(reinterpret_cast<const T*>(data)); });
  }
};

}  // namespace trine::inline TRINE_ABI
