// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/weight_scope.hpp>

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::ElementsAre;

// Tensors in memory: what a weight format of a user's own would look like.
class MemorySource : public WeightSource {
 public:
  template <class T>
  void add(const std::string& name, DType dtype, std::vector<std::size_t> shape, const std::vector<T>& elements) {
    tensors_[name] = {dtype, std::move(shape), std::as_bytes(std::span(elements))};
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
  [[nodiscard]] std::string place() const override { return "memory"; }

 private:
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

class WeightScopeTest : public testing::Test {
 protected:
  WeightScopeTest() {
    source_.add("layers.3.norm.weight", DType::bf16, {2}, gain_);
    source_.add("layers.3.q.weight", DType::f32, {2, 3}, matrix_);
  }
  const std::vector<bfloat16> gain_{bfloat16(1.5F), bfloat16(-2.0F)};
  const std::vector<float> matrix_{1, 2, 3, 4, 5, 6};
  MemorySource source_;
  WeightReader reader_{source_};
  const WeightScope layer_ = WeightScope(reader_) / "layers" / 3;
};

TEST_F(WeightScopeTest, ReadsBelowItsPrefix) {
  EXPECT_TRUE(layer_.contains("norm.weight"));
  EXPECT_FALSE(layer_.contains("norm"));
  EXPECT_THAT((layer_ / "norm").read_f32("weight", 2).view().span(), ElementsAre(1.5F, -2.0F));
  const AnyMatrix q = (layer_ / "q").matrix("weight", 2, 3);
  EXPECT_EQ(reinterpret_cast<const float*>(q.data), matrix_.data()) << "a matrix is borrowed, not copied";
  EXPECT_EQ(q.rows, 2U);
  EXPECT_EQ(q.columns, 3U);
  EXPECT_EQ(q.dtype, DType::f32);
}

TEST_F(WeightScopeTest, NamesTheMissingTensorAndTheFile) {
  EXPECT_ERROR((layer_ / "k").matrix("weight", 2, 3), WeightError, "no tensor named 'layers.3.k.weight' (memory)");
  EXPECT_ERROR(WeightScope(reader_).read_f32("norm.weight", 2), WeightError, "no tensor named 'norm.weight' (memory)");
}

TEST_F(WeightScopeTest, NamesTheShapeItExpectedAndFound) {
  EXPECT_ERROR((layer_ / "q").matrix("weight", 3, 2), WeightError,
               "layers.3.q.weight: expected shape [3, 2], found [2, 3] (memory)");
  EXPECT_ERROR((layer_ / "q").read_f32("weight", 6), WeightError,
               "layers.3.q.weight: expected shape [6], found [2, 3] (memory)");
  EXPECT_ERROR((layer_ / "norm").matrix("weight", 1, 2), WeightError,
               "layers.3.norm.weight: expected shape [1, 2], found [2] (memory)");
}

TEST_F(WeightScopeTest, TakesAnOptionalTensorWhenItIsThere) {
  EXPECT_FALSE(layer_.read_f32_if_present("bias", 2).has_value());
  EXPECT_TRUE(layer_.read_f32_if_present("norm.weight", 2).has_value());
  EXPECT_ERROR(layer_.read_f32_if_present("norm.weight", 3), WeightError, "expected shape [3], found [2]");
}

TEST_F(WeightScopeTest, NamesATensorThatNobodyFetched) {
  static_cast<void>(layer_.read_f32("norm.weight", 2));
  EXPECT_ERROR(reader_.require_all_fetched(), WeightError,
               "unexpected tensor 'layers.3.q.weight': the configuration has no place for it (memory)");
  static_cast<void>(layer_.matrix("q.weight", 2, 3));
  reader_.require_all_fetched();
}

}  // namespace
}  // namespace trine
