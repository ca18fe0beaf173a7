// SPDX-License-Identifier: Apache-2.0
// What the tests of routers share: weights without a file, and a pass of one token.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <trine/routing/router.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::test {

/// f32 tensors in memory.
class MemoryWeights : public WeightSource {
 public:
  /// A later tensor of the same name replaces the earlier one.
  void add(const std::string& name, std::vector<std::size_t> shape, std::vector<float> values) {
    values_.push_back(std::move(values));
    tensors_[name] = {DType::f32, std::move(shape), std::as_bytes(std::span(values_.back()))};
  }
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result;
    for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
    return result;
  }
  [[nodiscard]] std::string source_name() const override { return "memory"; }

 private:
  std::vector<std::vector<float>> values_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

/// The plan for one token at position 0.
[[nodiscard]] inline RoutingPlan route_one(const Router& router, const std::vector<float>& hidden,
                                           const std::vector<std::uint8_t>& allowed = {}, bool keep_scores = false) {
  Workspace workspace;
  RoutingPlan plan;
  plan.keep_scores = keep_scores;
  plan.start(router.num_experts());
  const std::vector<std::size_t> positions(1);
  const std::vector<TokenId> ids(1);
  router.route({{}, workspace}, {View<const float, 2>(hidden.data(), {1, hidden.size()}), positions, ids, {}, allowed},
               plan);
  return plan;
}

}  // namespace trine::test
