// SPDX-License-Identifier: Apache-2.0
// An adapter of a published checkpoint does not fit rows that a conversion has permuted.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <trine/adapters/adapter.hpp>
#include <trine/model/model.hpp>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

// Rank 1 for a map of layer 0 of a tiny model: [out, 32].
Adapter adapter_of(const Model& model, const std::string& module, std::size_t out) {
  const std::string prefix = "base_model.model.model.layers.0.self_attn." + module;
  SafetensorsFileWriter writer;
  writer.add(prefix + ".lora_A.weight", "F32", {1, 32}, std::string(32 * 4, '\0'));
  writer.add(prefix + ".lora_B.weight", "F32", {out, 1}, std::string(out * 4, '\0'));
  const TemporaryDirectory place;
  place.write("adapter_model.safetensors", writer.file());
  place.write("adapter_config.json",
              R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": [")" + module + "\"]}");
  return Adapter::load(model, place.path());
}

TEST(PermutedRows, AreNotForAdapters) {
  const std::filesystem::path goldens = TRINE_TEST_DATA;
  const Model original = Model::load(goldens / "families" / "llama_biases");
  const Model file = Model::load(goldens / "gguf_models" / "llama_biases.gguf");
  for (const auto& [module, out] : {std::pair{"q_proj", 48}, std::pair{"k_proj", 24}}) {
    EXPECT_NO_THROW(static_cast<void>(adapter_of(original, module, static_cast<std::size_t>(out))));
    EXPECT_ERROR(adapter_of(file, module, static_cast<std::size_t>(out)), Error,
                 "whose rows the conversion to GGUF has permuted");
  }
  EXPECT_NO_THROW(static_cast<void>(adapter_of(file, "v_proj", 24)));
  const Model granite = Model::load(goldens / "gguf_models" / "granitemoe.gguf");
  EXPECT_ERROR(adapter_of(granite, "q_proj", 32), Error, "whose rows the conversion to GGUF has permuted");
  EXPECT_NO_THROW(static_cast<void>(adapter_of(granite, "v_proj", 16)));
}

}  // namespace
}  // namespace trine::test
