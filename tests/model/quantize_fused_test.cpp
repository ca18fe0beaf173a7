// SPDX-License-Identifier: Apache-2.0
// Experts stored together or one by one are the same experts, also packed.
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>
#include <trine/generate/session.hpp>
#include <trine/model/quantize_model.hpp>

#include "support/safetensors_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

constexpr std::size_t kHidden = 64;
constexpr std::size_t kFfn = 32;
constexpr std::size_t kExperts = 4;

// A Mixtral of one layer in either layout, with the same random numbers.
class Mixtral {
 public:
  explicit Mixtral(bool fused) {
    directory_.write("config.json", R"({"model_type": "mixtral", "vocab_size": 48, "hidden_size": 64,
      "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
      "num_local_experts": 4, "num_experts_per_tok": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
      "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu", "sliding_window": null})");
    const std::string layer = "model.layers.0.";
    add("model.embed_tokens.weight", {48, kHidden}, numbers(0, 48 * kHidden));
    add("model.norm.weight", {kHidden}, numbers(1, kHidden));
    add(layer + "input_layernorm.weight", {kHidden}, numbers(2, kHidden));
    add(layer + "post_attention_layernorm.weight", {kHidden}, numbers(3, kHidden));
    std::uint64_t seed = 4;
    for (const char* which : {"q", "k", "v", "o"})
      add(layer + "self_attn." + which + "_proj.weight", {kHidden, kHidden}, numbers(seed++, kHidden * kHidden));
    const std::string moe = layer + (fused ? "mlp." : "block_sparse_moe.");
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
    directory_.write("model.safetensors", writer_.file());
  }

  // The bits of the logits after it was written as `type`.
  [[nodiscard]] std::vector<std::uint32_t> logits(DType type) const {
    const ModelQuantizer quantizer(directory_.path());
    const test::TemporaryDirectory place;
    const auto plan = quantizer.plan(type);
    for (const PlannedTensor& tensor : plan) EXPECT_EQ(tensor.note, "") << tensor.name;
    quantizer.write(plan, place.path() / "out", {.threads = 1});
    Session session(Model::load(place.path() / "out"), {.threads = 1});
    const std::vector<TokenId> ids = {3, 1, 4, 1, 5, 9, 2, 6};
    std::vector<std::uint32_t> bits;
    for (const float value : session.forward(ids, OutputRows::all).span())
      bits.push_back(std::bit_cast<std::uint32_t>(value));
    return bits;
  }

 private:
  static std::vector<float> numbers(std::uint64_t seed, std::size_t count) {
    const CounterRandom random{seed};
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(random.uniform(i)) - 0.5F;
    return values;
  }
  void add(const std::string& name, const std::vector<std::size_t>& shape, const std::vector<float>& values) {
    writer_.add(name, "F32", shape, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  test::SafetensorsWriter writer_;
  test::TemporaryDirectory directory_;
};

TEST(QuantizeFusedExperts, GivesTheBitsOfExpertsOneByOne) {
  const Mixtral fused(true);
  const Mixtral separate(false);
  for (const DType type : {DType::f32, DType::bf16, DType::q8, DType::q4}) {
    const auto bits = fused.logits(type);
    EXPECT_EQ(bits, separate.logits(type)) << to_string(type);
    for (const std::uint32_t value : bits) ASSERT_TRUE(std::isfinite(std::bit_cast<float>(value)));
  }
  EXPECT_NE(fused.logits(DType::q8), fused.logits(DType::f32));
}

}  // namespace
}  // namespace trine
