// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/multi_head_latent_attention.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/float8_e4m3.hpp>
#include <trine/nn/rope_scaling.hpp>

#include "nn/layers_in_memory.hpp"
#include "support/attention_rows.hpp"
#include "support/expect_error.hpp"
#include "support/naive_latent.hpp"
#include "support/test_executor.hpp"
#include "support/values.hpp"

namespace trine {
namespace {

using test::naive::Matrix;
using Form = MlaForm;

constexpr std::size_t kHidden = 12;
constexpr std::size_t kTokens = 300;  // three blocks of keys, the last one partly filled

// What differs between the layers under test.
struct Shape {
  std::size_t heads = 3;
  std::optional<std::size_t> q_lora_rank = 5;
  bool attention_bias = false;
  RotaryPairs pairs = RotaryPairs::interleaved;
  std::size_t latent = 10;
  std::size_t nope = 7;
  std::size_t value = 9;
};

// Weights of an attention layer, kept also as double-precision matrices for the reference. YaRN with a context that is
// ten times the original one, and an mscale_all_dim other than mscale.
struct Layer {
  static constexpr std::size_t kRope = 6;

  explicit Layer(const Shape& shape = {}) {
    YarnScaling yarn{10.0, 32, 4.0, 0.5, true, 0.6, 1.5, std::nullopt};
    rope = {kRope, 100.0, yarn};
    options.hidden_size = kHidden;
    options.num_heads = shape.heads;
    options.q_lora_rank = shape.q_lora_rank;
    options.kv_lora_rank = shape.latent;
    options.qk_nope_head_dim = shape.nope;
    options.qk_rope_head_dim = kRope;
    options.v_head_dim = shape.value;
    options.attention_bias = shape.attention_bias;
    const double scale = latent_softmax_correction(rope) / std::sqrt(static_cast<double>(shape.nope + kRope));
    options.softmax_scale = static_cast<float>(scale);

    naive.heads = shape.heads;
    naive.nope = shape.nope;
    naive.rope = kRope;
    naive.value = shape.value;
    if (shape.q_lora_rank) {
      naive.q_a = test::add_matrix(weights, "q_a_proj.weight", *shape.q_lora_rank, kHidden, 1);
      naive.q_norm = test::add_vector(weights, "q_a_layernorm.weight", *shape.q_lora_rank, 2);
      if (shape.attention_bias) naive.q_a_bias = test::add_vector(weights, "q_a_proj.bias", *shape.q_lora_rank, 3);
    }
    naive.q = test::add_matrix(weights, shape.q_lora_rank ? "q_b_proj.weight" : "q_proj.weight",
                               shape.heads * (shape.nope + kRope), shape.q_lora_rank.value_or(kHidden), 4);
    naive.kv_a = test::add_matrix(weights, "kv_a_proj_with_mqa.weight", shape.latent + kRope, kHidden, 5);
    naive.kv_norm = test::add_vector(weights, "kv_a_layernorm.weight", shape.latent, 6);
    naive.kv_b =
        test::add_matrix(weights, "kv_b_proj.weight", shape.heads * (shape.nope + shape.value), shape.latent, 7);
    naive.o = test::add_matrix(weights, "o_proj.weight", kHidden, shape.heads * shape.value, 8);
    if (shape.attention_bias) {
      naive.kv_a_bias = test::add_vector(weights, "kv_a_proj_with_mqa.bias", shape.latent + kRope, 9);
      naive.o_bias = test::add_vector(weights, "o_proj.bias", kHidden, 10);
    }
    naive.softmax_scale = scale;
    naive.frequencies = rope_frequencies(rope).inverse;
    naive.amplitude = rope_frequencies(rope).amplitude;
    naive.interleaved = shape.pairs == RotaryPairs::interleaved;
    rotary = std::make_shared<const Rotary>(rope_frequencies(rope), shape.pairs, kRope, kTokens);
  }

  [[nodiscard]] MultiHeadLatentAttention make() {
    return MultiHeadLatentAttention(WeightScope(reader), options, rotary);
  }

  RopeOptions rope;
  MlaOptions options;
  test::naive::Latent naive;
  test::MemoryWeights weights;
  WeightReader reader{weights};
  std::shared_ptr<const Rotary> rotary;
};

Tensor<float, 2> run(const MultiHeadLatentAttention& attention, Form form, View<const float, 2> x, std::size_t chunk,
                     std::size_t threads = 1, ActivationPrecision activations = ActivationPrecision::f32) {
  Workspace workspace;
  LayerState cache = attention.make_cache();
  Tensor<float, 2> y({x.extent(0), x.extent(1)});
  for (std::size_t done = 0; done < x.extent(0); done += chunk) {
    const std::size_t count = std::min(chunk, x.extent(0) - done);
    const test::AttentionRows rows{0, count, done, &cache};
    test::forward(attention, {default_isa(), threads, {}, activations, test::test_executor(), form}, workspace,
                  x.slice(done, count), std::span(&rows, 1), y.view().slice(done, count));
  }
  return y;
}

// The largest difference in rows [begin, end), relative to the largest expected number.
double difference(const Tensor<float, 2>& found, const Matrix& expected, std::size_t begin = 0,
                  std::size_t end = kTokens) {
  double worst = 0;
  double largest = 0;
  for (std::size_t n = begin; n < std::min(end, expected.rows); ++n) {
    for (std::size_t i = 0; i < expected.columns; ++i) {
      worst = std::fmax(worst, std::abs(static_cast<double>(found.view()(n, i)) - expected(n, i)));
      largest = std::fmax(largest, std::abs(expected(n, i)));
    }
  }
  return worst / largest;
}

constexpr double kRoundOff = 2e-6;  // relative to the largest output; measured at most 4.2e-7
constexpr double kWrong = 1e-2;     // what a wrong formula is away at least

TEST(LatentAttentionPerIsa, EqualsTheTextbookInBothForms) {
  const auto x = test::random_tensor({kTokens, kHidden}, 11);
  for (const Shape& shape :
       {Shape{}, Shape{4, std::nullopt, false, RotaryPairs::interleaved}, Shape{1, 5, true, RotaryPairs::interleaved},
        Shape{9, std::nullopt, true, RotaryPairs::half_split}}) {
    Layer layer(shape);
    const Matrix expected = test::naive::latent_attention(layer.naive, Matrix::from(x.view()));
    const MultiHeadLatentAttention attention = layer.make();
    for (const Form form : {Form::naive, Form::absorbed, Form::automatic}) {
      for (const std::size_t chunk : {std::size_t{1}, std::size_t{50}, kTokens})
        EXPECT_LT(difference(run(attention, form, x.view(), chunk), expected), kRoundOff)
            << shape.heads << " heads, form " << static_cast<int>(form) << ", chunk " << chunk;
    }
  }
}

TEST(LatentAttentionPerIsa, SeesAChunkAndItsOverlapIfAsked) {
  const auto x = test::random_tensor({kTokens, kHidden}, 19);
  for (const Chunking chunking : {Chunking{50, 0}, Chunking{64, 10}, Chunking{130, 130}, Chunking{kTokens, 7}}) {
    Layer layer;
    layer.naive.chunk = chunking.size;
    layer.naive.overlap = chunking.overlap;
    layer.options.chunking = chunking;
    const Matrix expected = test::naive::latent_attention(layer.naive, Matrix::from(x.view()));
    const MultiHeadLatentAttention attention = layer.make();
    for (const Form form : {Form::naive, Form::absorbed}) {
      const Tensor<float, 2> whole = run(attention, form, x.view(), kTokens, 2);
      EXPECT_LT(difference(whole, expected), kRoundOff) << chunking.size;
      for (const std::size_t chunk : {std::size_t{1}, std::size_t{37}})
        ASSERT_TRUE(std::ranges::equal(run(attention, form, x.view(), chunk).view().span(), whole.view().span()));
    }
    EXPECT_LT(difference(run(attention, Form::automatic, x.view(), kTokens, 2), expected), kRoundOff) << chunking.size;
  }
}

TEST(LatentAttentionPerIsa, GivesTheSameBitsHoweverAPromptIsCutAndOnAnyNumberOfThreads) {
  const auto x = test::random_tensor({kTokens, kHidden}, 12);
  Layer layer({17, 5, false, RotaryPairs::interleaved});  // three groups of heads share an absorbed task
  const MultiHeadLatentAttention attention = layer.make();
  for (const Form form : {Form::naive, Form::absorbed}) {
    const Tensor<float, 2> whole = run(attention, form, x.view(), kTokens);
    for (const auto& [chunk, threads] : std::vector<std::pair<std::size_t, std::size_t>>{
             {1, 1}, {7, 1}, {127, 1}, {128, 2}, {129, 5}, {50, 2}, {kTokens, 3}, {kTokens, 9}}) {
      const Tensor<float, 2> other = run(attention, form, x.view(), chunk, threads);
      ASSERT_TRUE(std::ranges::equal(other.view().span(), whole.view().span()))
          << "form " << static_cast<int>(form) << ", chunks of " << chunk << ", " << threads << " threads";
    }
  }
}

// DeepSeek-V3. Prompts share the work of making keys and values; a few rows after a long cache do not make it anew.
TEST(MultiHeadLatentAttention, CostsWhatTheCheaperFormCosts) {
  MlaOptions v3;
  v3.kv_lora_rank = 512;
  v3.qk_nope_head_dim = 128;
  v3.qk_rope_head_dim = 64;
  v3.v_head_dim = 128;
  for (const std::size_t before : {0U, 1U, 100U, 4096U, 131071U})
    EXPECT_EQ(cheaper_form(v3, 1, before + 1), Form::absorbed);
  for (const std::size_t rows : {2U, 4U, 8U}) {
    for (const std::size_t before : {512U, 4096U, 131072U})
      EXPECT_EQ(cheaper_form(v3, rows, before + rows), Form::absorbed) << rows << " rows after " << before;
  }
  for (const std::size_t rows : {16U, 512U, 2048U}) EXPECT_EQ(cheaper_form(v3, rows, rows), Form::naive) << rows;
  for (const std::size_t before : {0U, 512U, 4096U, 131072U})
    EXPECT_EQ(cheaper_form(v3, 512, before + 512), Form::naive) << before;
}

// The rows of a pass have the bits of the form that costs less for them.
TEST(MultiHeadLatentAttention, TakesTheCheaperFormOfAPassIfNotTold) {
  const auto x = test::random_tensor({kTokens, kHidden}, 13);
  Layer layer;
  const MultiHeadLatentAttention attention = layer.make();
  const Tensor<float, 2> naive = run(attention, Form::naive, x.view(), kTokens);
  const Tensor<float, 2> absorbed = run(attention, Form::absorbed, x.view(), kTokens);
  std::size_t differing = 0;
  std::set<Form> taken;
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{2}, std::size_t{8}, std::size_t{150}, kTokens}) {
    const Tensor<float, 2> found = run(attention, Form::automatic, x.view(), chunk);
    for (std::size_t first = 0; first < kTokens; first += chunk) {
      const std::size_t count = std::min(chunk, kTokens - first);
      const Form form = cheaper_form(layer.options, count, first + count);
      taken.insert(form);
      const auto rows = [&](const Tensor<float, 2>& y) { return y.view().slice(first, count).span(); };
      EXPECT_TRUE(std::ranges::equal(rows(found), rows(form == Form::naive ? naive : absorbed)))
          << count << " rows after " << first;
      differing += std::ranges::equal(rows(naive), rows(absorbed)) ? 0U : 1U;
    }
  }
  EXPECT_EQ(taken.size(), 2U);
  EXPECT_GT(differing, 300U);  // or this test shows nothing
}

TEST(MultiHeadLatentAttention, GivesSequencesOfOneBatchWhatTheyGetAlone) {
  Layer layer;
  const MultiHeadLatentAttention attention = layer.make();
  const auto x = test::random_tensor({30, kHidden}, 14);
  const Tensor<float, 2> first = run(attention, Form::automatic, x.view().slice(0, 20), 19);  // the last row alone
  const Tensor<float, 2> second = run(attention, Form::automatic, x.view().slice(20, 10), 10);

  // 19 rows of the first, then its last row beside all of the second.
  Workspace workspace;
  LayerState cache = attention.make_cache();
  LayerState other = attention.make_cache();
  Tensor<float, 2> y({30, kHidden});
  const test::AttentionRows begin{0, 19, 0, &cache};
  test::forward(attention, {.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()}, workspace,
                x.view().slice(0, 19), std::span(&begin, 1), y.view().slice(0, 19));
  const std::vector<test::AttentionRows> both{{0, 1, 19, &cache}, {1, 10, 0, &other}};
  test::forward(attention, {.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()}, workspace,
                x.view().slice(19, 11), both, y.view().slice(19, 11));
  EXPECT_TRUE(std::ranges::equal(y.view().slice(0, 20).span(), first.view().span()));
  EXPECT_TRUE(std::ranges::equal(y.view().slice(20, 10).span(), second.view().span()));
}

// A row that is written again, as after drafted tokens were refused, leaves no trace of what was there.
TEST(MultiHeadLatentAttention, ForgetsWhatIsWrittenOver) {
  Layer layer;
  const MultiHeadLatentAttention attention = layer.make();
  const auto x = test::random_tensor({10, kHidden}, 15);
  const auto drafted = test::random_tensor({4, kHidden}, 16);
  Workspace workspace;
  LayerState cache = attention.make_cache();
  Tensor<float, 2> y({10, kHidden});
  Tensor<float, 2> ignored({4, kHidden});
  const test::AttentionRows begin{0, 5, 0, &cache};
  const test::AttentionRows draft{0, 4, 5, &cache};
  const test::AttentionRows rest{0, 5, 5, &cache};
  const ExecutionContext execution{.isa = default_isa(), .mla_form = Form::absorbed};
  test::forward(attention, execution, workspace, x.view().slice(0, 5), std::span(&begin, 1), y.view().slice(0, 5));
  test::forward(attention, execution, workspace, drafted.view(), std::span(&draft, 1), ignored.view());
  test::forward(attention, execution, workspace, x.view().slice(5, 5), std::span(&rest, 1), y.view().slice(5, 5));
  EXPECT_TRUE(std::ranges::equal(y.view().span(), run(attention, Form::absorbed, x.view(), 10).view().span()));
}

TEST(MultiHeadLatentAttention, CachesTheLatentAndTheRotaryKeyOnly) {
  Layer layer;
  const MultiHeadLatentAttention attention = layer.make();
  const auto x = test::random_tensor({1, kHidden}, 17);
  Tensor<float, 2> y({1, kHidden});
  Workspace workspace;
  LayerState cache = attention.make_cache();
  for (std::size_t n = 0; n < 270; ++n) {
    ASSERT_EQ(cache.bytes(), attention.cache_bytes(n)) << n;
    const test::AttentionRows rows{0, 1, n, &cache};
    test::forward(attention, {default_isa(), 1, {}}, workspace, x.view(), std::span(&rows, 1), y.view());
  }
  EXPECT_EQ(attention.cache_bytes(128), 128 * (layer.options.kv_lora_rank + Layer::kRope) * sizeof(float));
  EXPECT_EQ(attention.cache_bytes(129), 2 * attention.cache_bytes(128));
}

// Keys and values of 32 K tokens would take 2.75 MiB per head here; blocks of them are made and dropped.
TEST(MultiHeadLatentAttention, HoldsNoKeysAndValuesOfTheWholeContext) {
  Layer layer;
  const MultiHeadLatentAttention attention = layer.make();
  const auto x = test::random_tensor({64, kHidden}, 18);
  Tensor<float, 2> y({64, kHidden});
  LayerState cache = attention.make_cache();
  Workspace workspace;
  std::size_t early = 0;
  for (std::size_t n = 0; n < kTokens - 64; n += 64) {
    const test::AttentionRows rows{0, 64, n, &cache};
    test::forward(attention, {.isa = default_isa(), .mla_form = Form::naive}, workspace, x.view(), std::span(&rows, 1),
                  y.view());
    if (n == 64) early = workspace.capacity_bytes();
  }
  EXPECT_GT(early, 0U);
  EXPECT_EQ(workspace.capacity_bytes(), early);
}

// The weights of a layer with kv_b_proj as FP8 codes, in blocks that no head ends at.
class CodedWeights : public WeightSource {
 public:
  static constexpr std::size_t kRows = 5;
  static constexpr std::size_t kColumns = 4;

  explicit CodedWeights(Layer& layer) : plain_(layer.weights) {
    Matrix& decoded = layer.naive.kv_b;
    const std::size_t across = (decoded.columns + kColumns - 1) / kColumns;
    scales_.resize((decoded.rows + kRows - 1) / kRows * across);
    test::fill_random(std::span(scales_), 21, 0.002F, 0.02F);
    for (std::size_t r = 0; r < decoded.rows; ++r) {
      for (std::size_t c = 0; c < decoded.columns; ++c) {
        const auto code = static_cast<unsigned>((r * 37 + c * 11) % 127);  // 127 is NaN
        codes_.push_back(std::byte(code + (r + c) % 2 * 128));
        decoded(r, c) = static_cast<double>(kFloat8E4M3Values[std::to_integer<std::size_t>(codes_.back())]) *
                        static_cast<double>(scales_[r / kRows * across + c / kColumns]);
      }
    }
    codes_tensor_ = {DType::f8_e4m3, {decoded.rows, decoded.columns}, codes_};
    scales_tensor_ = {DType::f32, {scales_.size() / across, across}, std::as_bytes(std::span(scales_))};
  }
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    if (name == "kv_b_proj.weight") return &codes_tensor_;
    if (name == "kv_b_proj.weight_scale_inv") return &scales_tensor_;
    return plain_.find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override { return plain_.names(); }
  [[nodiscard]] std::string source_name() const override { return "memory"; }

 private:
  const test::MemoryWeights& plain_;
  std::vector<std::byte> codes_;
  std::vector<float> scales_;
  StoredTensor codes_tensor_;
  StoredTensor scales_tensor_;
};

TEST(LatentAttentionPerIsa, ReadsBothPartsOfAHeadFromBlockScaledCodes) {
  Layer layer;
  const CodedWeights coded(layer);
  WeightReader reader(coded, {CodedWeights::kRows, CodedWeights::kColumns});
  const auto x = test::random_tensor({20, kHidden}, 20);
  const Matrix expected = test::naive::latent_attention(layer.naive, Matrix::from(x.view()));
  const MultiHeadLatentAttention attention(WeightScope(reader), layer.options, layer.rotary);
  for (const Form form : {Form::naive, Form::absorbed}) {
    EXPECT_LT(difference(run(attention, form, x.view(), 20), expected), kRoundOff) << static_cast<int>(form);
  }
}

// The weights of a layer with kv_b_proj in bf16.
class Bf16Weights : public WeightSource {
 public:
  explicit Bf16Weights(Layer& layer) : plain_(layer.weights) {
    Matrix& rounded = layer.naive.kv_b;
    for (std::size_t r = 0; r < rounded.rows; ++r) {
      for (std::size_t c = 0; c < rounded.columns; ++c) {
        numbers_.emplace_back(static_cast<float>(rounded(r, c)));
        rounded(r, c) = static_cast<double>(static_cast<float>(numbers_.back()));
      }
    }
    tensor_ = {DType::bf16, {rounded.rows, rounded.columns}, std::as_bytes(std::span(numbers_))};
  }
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    return name == "kv_b_proj.weight" ? &tensor_ : plain_.find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override { return plain_.names(); }
  [[nodiscard]] std::string source_name() const override { return "memory"; }

 private:
  const test::MemoryWeights& plain_;
  std::vector<bfloat16> numbers_;
  StoredTensor tensor_;
};

// A head in whole panels and groups, which is copied where tiles multiply bf16, and two that are not.
TEST(LatentAttentionPerIsa, MultipliesBf16AsTheCpuDoesIfAsked) {
  constexpr double kOtherWay = 1e-4;  // some latents lie between two bf16; measured at most 9.8e-6
  const auto x = test::random_tensor({kTokens, kHidden}, 22);
  for (const Shape& shape : {Shape{.latent = 64, .nope = 16, .value = 32}, Shape{.latent = 64, .nope = 24, .value = 32},
                             Shape{.latent = 40, .nope = 16, .value = 32}}) {
    Layer layer(shape);
    const Bf16Weights weights(layer);
    WeightReader reader(weights);
    const MultiHeadLatentAttention attention(WeightScope(reader), layer.options, layer.rotary);
    const Matrix exact = test::naive::latent_attention(layer.naive, Matrix::from(x.view()));
    EXPECT_LT(difference(run(attention, Form::naive, x.view(), kTokens), exact), kRoundOff)
        << shape.latent << ' ' << shape.nope;
    const bool whole = shape.latent == 64 && shape.nope == 16;
    layer.naive.bf16_latents = default_isa() == Isa::avx512_bf16 || (default_isa() == Isa::amx && whole);
    const Matrix expected = test::naive::latent_attention(layer.naive, Matrix::from(x.view()));
    const Tensor<float, 2> native = run(attention, Form::naive, x.view(), kTokens, 1, ActivationPrecision::native);
    EXPECT_LT(difference(native, expected), kOtherWay) << shape.latent << ' ' << shape.nope;
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{37}, std::size_t{129}})
      ASSERT_TRUE(
          std::ranges::equal(run(attention, Form::naive, x.view(), chunk, 2, ActivationPrecision::native).view().span(),
                             native.view().span()));
  }
}

TEST(MultiHeadLatentAttention, CountsItsParameters) {
  Layer layer({3, 5, true, RotaryPairs::interleaved});
  std::size_t expected = 0;
  for (const std::string_view name : layer.weights.names()) {
    std::size_t size = 1;
    for (const std::size_t extent : layer.weights.find(name)->shape) size *= extent;
    expected += size;
  }
  EXPECT_EQ(layer.make().parameters(), expected);
  layer.reader.require_all_fetched();
}

TEST(MultiHeadLatentAttention, NamesTheProjectionThatIsMissing) {
  test::MemoryWeights empty;
  WeightReader reader(empty);
  Layer layer;
  EXPECT_ERROR(MultiHeadLatentAttention(WeightScope(reader, "model.layers.2.self_attn"), layer.options, layer.rotary),
               WeightError, "no tensor named 'model.layers.2.self_attn.q_b_proj.weight'");
  layer.options.q_lora_rank.reset();
  EXPECT_ERROR(MultiHeadLatentAttention(WeightScope(reader, "model.layers.2.self_attn"), layer.options, layer.rotary),
               WeightError, "no tensor named 'model.layers.2.self_attn.q_proj.weight'");
}

// The ways to get it wrong that other implementations found. Each is a change of the textbook formula that the tests
// above would notice.
class LatentAttentionPitfalls : public testing::TestWithParam<Form> {
 protected:
  // How far the layer is from the textbook with the mistake, at the rows from `begin` on.
  double away_from(const test::naive::Latent& mistaken, std::size_t begin = 1, std::size_t end = 60) {
    return difference(run(layer_.make(), GetParam(), x_.view(), 60),
                      test::naive::latent_attention(mistaken, Matrix::from(x_.view())), begin, end);
  }
  Layer layer_;
  Tensor<float, 2> x_ = test::random_tensor({60, kHidden}, 19);
};

TEST_P(LatentAttentionPitfalls, SoftmaxScaleWithoutItsCorrection) {
  test::naive::Latent mistaken = layer_.naive;
  mistaken.softmax_scale = 1.0 / std::sqrt(static_cast<double>(layer_.naive.nope + Layer::kRope));
  EXPECT_GT(away_from(mistaken), kWrong);
  EXPECT_LT(away_from(mistaken, 0, 1), kRoundOff);  // position 0 sees one key and cannot tell
}

TEST_P(LatentAttentionPitfalls, CorrectionByMscaleInsteadOfMscaleAllDim) {
  test::naive::Latent mistaken = layer_.naive;
  const auto& yarn = std::get<YarnScaling>(layer_.rope.scaling);
  mistaken.softmax_scale *= std::pow(yarn_mscale(yarn.factor, yarn.mscale), 2) / latent_softmax_correction(layer_.rope);
  EXPECT_GT(away_from(mistaken), kWrong);
}

TEST_P(LatentAttentionPitfalls, HalfSplitPairs) {
  test::naive::Latent mistaken = layer_.naive;
  mistaken.interleaved = false;
  EXPECT_GT(away_from(mistaken), kWrong);
}

TEST_P(LatentAttentionPitfalls, ScaleOfTheAbsorbedWidth) {
  test::naive::Latent mistaken = layer_.naive;
  mistaken.softmax_scale *= std::sqrt(static_cast<double>(layer_.naive.nope + Layer::kRope) /
                                      static_cast<double>(layer_.options.kv_lora_rank + Layer::kRope));
  EXPECT_GT(away_from(mistaken), kWrong);
}

TEST_P(LatentAttentionPitfalls, NormOverTheRotaryKeyToo) {
  test::naive::Latent mistaken = layer_.naive;
  mistaken.norm_covers = test::naive::Latent::Norm::latent_and_rotary_key;
  EXPECT_GT(away_from(mistaken, 0), kWrong);
}

TEST_P(LatentAttentionPitfalls, AnEpsilonOfItsOwn) {
  test::naive::Latent mistaken = layer_.naive;
  mistaken.epsilon = 1e-2;
  EXPECT_GT(away_from(mistaken, 0), kWrong);
}

INSTANTIATE_TEST_SUITE_P(EitherForm, LatentAttentionPitfalls, testing::Values(Form::naive, Form::absorbed),
                         [](const auto& form) { return form.param == Form::naive ? "Naive" : "Absorbed"; });

}  // namespace
}  // namespace trine
