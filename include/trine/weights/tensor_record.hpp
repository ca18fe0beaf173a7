// SPDX-License-Identifier: Apache-2.0
// What a model declared about its tensors when it fetched them: the basis of every decision about their storage.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <trine/weights/tensor_role.hpp>
#include <trine/weights/weight_stack.hpp>

namespace trine::inline TRINE_ABI {

/// The declaration of one tensor.
struct TensorUse {
  TensorRole role = TensorRole::other;             ///< decides how a conversion stores it
  std::string_view unpacked = {};                  ///< why a layer cannot read it in blocks of rows; empty if it can
  std::optional<StackShape> stack = std::nullopt;  ///< for a tensor that holds several matrices
};

/// The tensors of a model by name. Unused tensors are included only if the model declared their role.
class TensorRecord {
 public:
  /// Replaces an earlier declaration of that tensor.
  void add(const std::string& name, const TensorUse& use) { uses_.insert_or_assign(name, use); }

  /// Returns whether the model fetched the tensor or declared its role.
  [[nodiscard]] bool contains(std::string_view name) const { return uses_.contains(name); }
  /// The record of a tensor that was not fetched: no role.
  [[nodiscard]] TensorUse find(std::string_view name) const {
    const auto found = uses_.find(name);
    return found == uses_.end() ? TensorUse{} : found->second;
  }

 private:
  std::map<std::string, TensorUse, std::less<>> uses_;
};

}  // namespace trine::inline TRINE_ABI
