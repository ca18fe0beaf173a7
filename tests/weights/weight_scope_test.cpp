// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/weight_scope.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/kernels/convert.hpp>

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
  [[nodiscard]] std::string source_name() const override { return "memory"; }

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
  const WeightMatrix q = (layer_ / "q").matrix("weight", 2, 3);
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

TEST_F(WeightScopeTest, Fp8CodesComeWithTheScalesOfTheirBlocks) {
  const std::vector<std::uint8_t> codes(130 * 3, 0x38);  // 1.0
  const std::vector<float> scales{2.0F, 3.0F};
  source_.add("o.weight", DType::f8_e4m3, {130, 3}, codes);
  const WeightScope scope = WeightScope(reader_) / "o";
  EXPECT_ERROR(scope.matrix("weight", 130, 3), WeightError, "no tensor named 'o.weight_scale_inv' (memory)");
  source_.add("o.weight_scale_inv", DType::f32, {2, 2}, std::vector<float>(4));
  EXPECT_ERROR(scope.matrix("weight", 130, 3), WeightError,
               "o.weight_scale_inv: expected shape [2, 1], found [2, 2] (memory)");
  source_.add("o.weight_scale_inv", DType::u8, {2, 1}, codes);
  EXPECT_ERROR(scope.matrix("weight", 130, 3), WeightError,
               "o.weight_scale_inv: expected f32, bf16 or f16, found u8 (memory)");
  source_.add("o.weight_scale_inv", DType::f32, {2, 1}, scales);
  const WeightMatrix o = scope.matrix("weight", 130, 3);
  std::array<float, 3> row{};
  kernels::decode_row(o, 127, row.data());
  EXPECT_THAT(row, ElementsAre(2.0F, 2.0F, 2.0F));
  kernels::decode_row(o, 128, row.data());
  EXPECT_THAT(row, ElementsAre(3.0F, 3.0F, 3.0F));
  EXPECT_EQ(o.data, reinterpret_cast<const std::byte*>(codes.data())) << "codes stay as they are stored";
}

TEST_F(WeightScopeTest, Mxfp4BlocksAreOneStack) {
  const std::vector<std::uint8_t> codes(2 * 3 * 16, 0x52);                  // 1.0 and 3.0 in turn
  const std::vector<std::uint8_t> exponents{127, 127, 127, 128, 127, 126};  // 1, 1, 1, 2, 1, 1/2
  source_.add("e.up_blocks", DType::u8, {2, 3, 1, 16}, codes);
  const WeightScope scope = WeightScope(reader_) / "e";
  EXPECT_ERROR(scope.stack("up", {2, 1, 3, 32, StackLayout::interleaved}), WeightError,
               "no tensor named 'e.up_scales' (memory)");
  EXPECT_ERROR(scope.stack("up", {2, 1, 3, 40, StackLayout::interleaved}), WeightError,
               "e.up_blocks: expected a multiple of 32 columns, found 40 (memory)");
  source_.add("e.up_scales", DType::u8, {2, 3, 1}, exponents);
  const WeightStack up = scope.stack("up", {2, 1, 3, 32, StackLayout::interleaved});
  EXPECT_EQ(up.matrix(1).rows, 3U);
  std::array<float, 32> row{};
  kernels::decode_row(up.matrix(1), 0, row.data());
  EXPECT_EQ(row[0], 2.0F);
  EXPECT_EQ(row[1], 6.0F);
  kernels::decode_row(up.matrix(1), 2, row.data());
  EXPECT_EQ(row[31], 1.5F);
  source_.add("e.up_blocks", DType::i8, {2, 3, 1, 16}, codes);
  EXPECT_ERROR(scope.stack("up", {2, 1, 3, 32, StackLayout::interleaved}), WeightError,
               "e.up_blocks: expected u8, found i8 (memory)");
}

TEST_F(WeightScopeTest, AStackIsTheMatricesOneBelowTheOther) {
  source_.add("experts", DType::f32, {3, 1, 2}, matrix_);
  const WeightStack stack = WeightScope(reader_).stack("experts", {3, 1, 1, 2});
  std::array<float, 2> row{};
  kernels::decode_row(stack.matrix(2), 0, row.data());
  EXPECT_THAT(row, ElementsAre(5.0F, 6.0F));
  EXPECT_ERROR(WeightScope(reader_).stack("experts", {3, 1, 2, 1}), WeightError,
               "experts: expected shape [3, 2, 1], found [3, 1, 2] (memory)");
}

TEST_F(WeightScopeTest, MissesNeitherWhatIsIgnoredNorWhatIsEmpty) {
  static_cast<void>((layer_ / "norm").read_f32("weight", 2));
  static_cast<void>((layer_ / "q").matrix("weight", 2, 3));
  source_.add("layers.61.q.weight", DType::f32, {2, 3}, matrix_);
  source_.add("layers.610.q.weight", DType::f32, {2, 3}, matrix_);
  source_.add("shared.weight", DType::f32, {0, 3}, std::vector<float>());
  (WeightScope(reader_) / "layers").ignore("61", "a draft");
  EXPECT_ERROR(reader_.require_all_fetched(), WeightError, "unexpected tensor 'layers.610.q.weight'");
  (WeightScope(reader_) / "layers").ignore("610", "another");
  reader_.require_all_fetched();
}

// A model with a fused expert, a draft layer and a head that is tied.
TEST_F(WeightScopeTest, RecordsWhatEachTensorIsFor) {
  source_.add("layers.3.experts", DType::f32, {3, 1, 2}, matrix_);
  source_.add("layers.4.q.weight", DType::f32, {2, 3}, matrix_);
  source_.add("layers.4.experts", DType::f32, {3, 1, 2}, matrix_);
  source_.add("layers.4.embed.weight", DType::f32, {2, 3}, matrix_);
  source_.add("layers.4.other.weight", DType::f32, {2, 3}, matrix_);
  source_.add("embed.weight", DType::f32, {2, 3}, matrix_);
  source_.add("lm_head.weight", DType::f32, {2, 3}, matrix_);
  source_.add("toy.weight", DType::f32, {2, 3}, matrix_);
  const WeightScope model(reader_);
  static_cast<void>((layer_ / "norm").as(TensorRole::attention).read_f32("weight", 2));
  static_cast<void>((layer_ / "q").as(TensorRole::attention).unpacked("by head").matrix("weight", 2, 3));
  static_cast<void>(layer_.as(TensorRole::experts).stack("experts", {3, 1, 1, 2}));
  static_cast<void>((model.as(TensorRole::embedding) / "embed").matrix("weight", 2, 3));
  static_cast<void>((model / "toy").matrix("weight", 2, 3));
  model.ignore("lm_head", "tied", TensorRole::head);
  (model / "layers").ignore_like("4", {layer_, model}, "a draft");
  reader_.require_all_fetched();
  const TensorRecord& record = reader_.record();
  EXPECT_EQ(record.find("layers.3.norm.weight").role, TensorRole::vector);
  EXPECT_EQ(record.find("layers.3.q.weight").role, TensorRole::attention);
  EXPECT_EQ(record.find("layers.3.q.weight").unpacked, "by head");
  EXPECT_EQ(record.find("layers.3.experts").role, TensorRole::experts);
  EXPECT_EQ(record.find("layers.3.experts").stack->count, 3U);
  EXPECT_EQ(record.find("embed.weight").role, TensorRole::embedding) << "a scope below has the role of its parent";
  EXPECT_EQ(record.find("toy.weight").role, TensorRole::other) << "nobody said what for";
  EXPECT_EQ(record.find("lm_head.weight").role, TensorRole::head);
  EXPECT_EQ(record.find("layers.4.q.weight").role, TensorRole::attention);
  EXPECT_EQ(record.find("layers.4.q.weight").unpacked, "by head");
  EXPECT_EQ(record.find("layers.4.experts").stack->columns, 2U);
  EXPECT_EQ(record.find("layers.4.embed.weight").role, TensorRole::embedding);
  EXPECT_EQ(record.find("layers.4.other.weight").role, TensorRole::other);
  EXPECT_FALSE(record.contains("nobody.weight"));
}

TEST_F(WeightScopeTest, NotesWhatIsIgnoredOnce) {
  for (const char* name : {"layers.3.k_scale", "layers.4.k_scale", "v_head.weight", "v_head.bias"})
    source_.add(name, DType::f32, {2, 3}, matrix_);
  Notes notes({"v_head.*"});
  WeightReader reader(source_, {}, &notes);
  static_cast<void>(WeightScope(reader).read_f32("layers.3.norm.weight", 2));
  const WeightScope scope(reader);
  scope.ignore(IgnoredNames{"*.k_scale", "of a cache"});
  scope.ignore("layers.3.q", "not of this layer");
  scope.ignore("layers.5", "not there, so not noted");
  reader.require_all_fetched();
  EXPECT_THAT(notes.all(),
              testing::UnorderedElementsAre(Note{"*.k_scale", "of a cache"}, Note{"layers.3.q.*", "not of this layer"},
                                            Note{"v_head.*", "unknown, and ignored because the caller allows it"}));
}

TEST_F(WeightScopeTest, SaysHowToIgnoreATensor) {
  EXPECT_ERROR(reader_.require_all_fetched(), WeightError,
               "allow_unknown (--allow-unknown layers.3.norm.weight) ignores it");
}

TEST_F(WeightScopeTest, RefusesCodesWhereNumbersAreRead) {
  source_.add("gain", DType::i8, {2}, std::vector<std::int8_t>{1, 2});
  EXPECT_ERROR(WeightScope(reader_).read_f32("gain", 2), WeightError,
               "gain: expected f32, bf16 or f16, found i8 (memory)");
  source_.add("w", DType::f8_e5m2, {1, 2}, std::vector<std::uint8_t>{1, 2});
  EXPECT_ERROR(WeightScope(reader_).matrix("w", 1, 2), WeightError,
               "w: expected f32, bf16 or f16, found f8_e5m2 (memory)");
}

}  // namespace
}  // namespace trine
