// SPDX-License-Identifier: Apache-2.0
// Experts stored together or one by one are the same experts, also packed.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>
#include <trine/generate/session.hpp>
#include <trine/quantize/quantize_model.hpp>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

constexpr std::size_t kHidden = 64;
constexpr std::size_t kFfn = 32;
constexpr std::size_t kExperts = 4;

// A directory with random numbers in f32.
class Source {
 public:
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }

  // The bits of the logits after it was written as `type`.
  [[nodiscard]] std::vector<std::uint32_t> logits(DType type) const {
    const ModelQuantizer quantizer(path());
    const test::TemporaryDirectory place;
    const auto plan = quantizer.plan(type);
    for (const PlannedTensor& tensor : plan) EXPECT_EQ(tensor.note, "") << tensor.name;
    quantizer.write(plan, place.path() / "out", {.num_threads = 1});
    return logits_of(place.path() / "out");
  }
  [[nodiscard]] static std::vector<std::uint32_t> logits_of(const std::filesystem::path& directory) {
    Session session(Model::load(directory), {.num_threads = 1, .activations = ActivationPrecision::f32});
    const std::vector<TokenId> ids = {3, 1, 4, 1, 5, 9, 2, 6};
    std::vector<std::uint32_t> bits;
    for (const float value : session.forward(ids, OutputRows::all).span())
      bits.push_back(std::bit_cast<std::uint32_t>(value));
    return bits;
  }

 protected:
  static std::vector<float> numbers(std::uint64_t seed, std::size_t count) {
    const CounterRandom random{seed};
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(random.uniform(i)) - 0.5F;
    return values;
  }
  void add(const std::string& name, const std::vector<std::size_t>& shape, const std::vector<float>& values) {
    writer_.add(name, "F32", shape, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }
  // Embedding, norms and attention of one layer. Returns the next seed.
  std::uint64_t add_all_but_experts() {
    const std::string layer = "model.layers.0.";
    add("model.embed_tokens.weight", {48, kHidden}, numbers(0, 48 * kHidden));
    add("model.norm.weight", {kHidden}, numbers(1, kHidden));
    add(layer + "input_layernorm.weight", {kHidden}, numbers(2, kHidden));
    add(layer + "post_attention_layernorm.weight", {kHidden}, numbers(3, kHidden));
    std::uint64_t seed = 4;
    for (const char* which : {"q", "k", "v", "o"})
      add(layer + "self_attn." + which + "_proj.weight", {kHidden, kHidden}, numbers(seed++, kHidden * kHidden));
    return seed;
  }
  void write(const std::string& config) {
    directory_.write("config.json", config);
    directory_.write("model.safetensors", writer_.file());
  }

 private:
  test::SafetensorsFileWriter writer_;
  test::TemporaryDirectory directory_;
};

// A Mixtral of one layer in either layout, with the same random numbers.
class Mixtral : public Source {
 public:
  explicit Mixtral(bool fused) {
    std::uint64_t seed = add_all_but_experts();
    const std::string moe = std::string("model.layers.0.") + (fused ? "mlp." : "block_sparse_moe.");
    add(moe + "gate.weight", {kExperts, kHidden}, numbers(seed++, kExperts * kHidden));
    std::vector<float> gate_up;
    std::vector<float> down;
    for (std::size_t e = 0; e < kExperts; ++e) {
      for (const char* name : {"w1", "w3", "w2"}) {  // gate, up, down
        const std::vector<float> matrix = numbers(seed++, kFfn * kHidden);
        const bool is_down = std::string_view(name) == "w2";
        std::vector<float>& stack = is_down ? down : gate_up;
        stack.insert(stack.end(), matrix.begin(), matrix.end());
        if (fused) continue;
        add(moe + "experts." + std::to_string(e) + "." + name + ".weight",
            is_down ? std::vector{kHidden, kFfn} : std::vector{kFfn, kHidden}, matrix);
      }
    }
    if (fused) {
      add(moe + "experts.gate_up_proj", {kExperts, 2 * kFfn, kHidden}, gate_up);
      add(moe + "experts.down_proj", {kExperts, kHidden, kFfn}, down);
    }
    write(R"({"model_type": "mixtral", "vocab_size": 48, "hidden_size": 64,
      "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
      "num_local_experts": 4, "num_experts_per_tok": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
      "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu", "sliding_window": null})");
  }
};

// A gpt-oss of one layer in plain numbers, whose experts lie the other way round. With `down` square as published.
class GptOss : public Source {
 public:
  explicit GptOss(std::size_t ffn) {
    const std::string layer = "model.layers.0.";
    std::uint64_t seed = add_all_but_experts();
    for (const char* which : {"q", "k", "v", "o"})
      add(layer + "self_attn." + which + "_proj.bias", {kHidden}, numbers(seed++, kHidden));
    add(layer + "self_attn.sinks", {2}, numbers(seed++, 2));
    add(layer + "mlp.router.weight", {kExperts, kHidden}, numbers(seed++, kExperts * kHidden));
    add(layer + "mlp.router.bias", {kExperts}, numbers(seed++, kExperts));
    const std::string experts = layer + "mlp.experts.";
    add(experts + "gate_up_proj", {kExperts, kHidden, 2 * ffn}, numbers(seed++, kExperts * kHidden * 2 * ffn));
    add(experts + "gate_up_proj_bias", {kExperts, 2 * ffn}, numbers(seed++, kExperts * 2 * ffn));
    add(experts + "down_proj", {kExperts, ffn, kHidden}, numbers(seed++, kExperts * ffn * kHidden));
    add(experts + "down_proj_bias", {kExperts, kHidden}, numbers(seed++, kExperts * kHidden));
    write(R"({"model_type": "gpt_oss", "vocab_size": 48, "hidden_size": 64, "intermediate_size": )" +
          std::to_string(ffn) + R"(, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
      "head_dim": 32, "num_local_experts": 4, "num_experts_per_tok": 2, "max_position_embeddings": 64,
      "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
      "rope_scaling": {"rope_type": "linear", "factor": 2.0}, "hidden_act": "silu", "sliding_window": 8, "swiglu_limit": 7.0})");
  }
};

// The largest difference relative to the largest number of `a`.
double distance(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const auto x = static_cast<double>(std::bit_cast<float>(a[i]));
    largest = std::fmax(largest, std::abs(x));
    worst = std::fmax(worst, std::abs(x - static_cast<double>(std::bit_cast<float>(b[i]))));
  }
  return worst / largest;
}

TEST(QuantizeFusedExperts, GivesTheBitsOfExpertsOneByOne) {
  const Mixtral fused(true);
  const Mixtral separate(false);
  for (const DType type : {DType::f32, DType::bf16, kQ8, kQ4}) {
    const auto bits = fused.logits(type);
    EXPECT_EQ(bits, separate.logits(type)) << to_string(type);
    for (const std::uint32_t value : bits) ASSERT_TRUE(std::isfinite(std::bit_cast<float>(value)));
  }
  EXPECT_NE(fused.logits(kQ8), fused.logits(DType::f32));
}

TEST(QuantizeFusedExperts, TurnsThoseOfGptOss) {
  for (const std::size_t ffn : {std::size_t{32}, kHidden}) {
    const GptOss source(ffn);
    const auto exact = Source::logits_of(source.path());
    EXPECT_EQ(source.logits(DType::f32), exact) << "nothing is packed, nothing is turned";
    EXPECT_LT(distance(exact, source.logits(DType::bf16)), 0.02);  // measured at most 0.005
    EXPECT_LT(distance(exact, source.logits(kQ8)), 0.03);          // measured at most 0.019
    EXPECT_LT(distance(exact, source.logits(kQ4)), 0.3);           // measured at most 0.13
    EXPECT_GT(distance(exact, source.logits(kQ4)), 0.0);
  }
}

TEST(QuantizeFusedExperts, PacksThoseOfGptOssAgainButDoesNotTurnThemBack) {
  const GptOss source(kHidden);
  const test::TemporaryDirectory place;
  const ModelQuantizer first(source.path());
  first.write(first.plan(kQ8), place.path() / "q8", {.num_threads = 1});
  const ModelQuantizer again(place.path() / "q8");
  again.write(again.plan(kQ4), place.path() / "q4", {.num_threads = 1});
  EXPECT_LT(distance(Source::logits_of(source.path()), Source::logits_of(place.path() / "q4")), 0.3);

  std::vector<PlannedTensor> plan = again.plan(DType::f32);
  std::size_t kept = 0;
  for (const PlannedTensor& tensor : plan) {
    if (tensor.role != TensorRole::experts) continue;
    ++kept;
    EXPECT_EQ(tensor.to, kQ8);
    EXPECT_EQ(tensor.note, "packed, and not to be transposed back");
  }
  EXPECT_EQ(kept, 2U);
  again.write(plan, place.path() / "f32", {.num_threads = 1});
  EXPECT_LT(distance(Source::logits_of(place.path() / "q8"), Source::logits_of(place.path() / "f32")), 1e-5);
  for (PlannedTensor& tensor : plan)
    if (tensor.role == TensorRole::experts) tensor.to = DType::f32;
  EXPECT_ERROR(again.write(plan, place.path() / "forced"), InputError,
               "model.layers.0.mlp.experts.down_proj: expected a type that it can have, found f32: packed, and not to "
               "be transposed back");
  EXPECT_FALSE(std::filesystem::exists(place.path() / "forced"));
}

}  // namespace
}  // namespace trine
