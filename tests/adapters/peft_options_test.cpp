// SPDX-License-Identifier: Apache-2.0
// The table of docs/how-to/lora.md: which fields of PEFT's LoraConfig have no effect, and that none is missing there.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <gmock/gmock.h>

#include <trine/adapters/adapter.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

class PeftOptions : public testing::Test {
 protected:
  [[nodiscard]] std::uint64_t fingerprint_with(const char* field, const Json& value) const {
    Json config = config_;
    config[field] = value;
    const TemporaryDirectory directory;
    fs::copy_file(adapter_ / "adapter_model.safetensors", directory.path() / "adapter_model.safetensors");
    directory.write("adapter_config.json", config.dump());
    return Adapter::load(model_, directory.path()).fingerprint();
  }

  const fs::path adapter_ = fs::path(TRINE_TEST_DATA) / "adapters" / "olmoe_article";
  const Json config_ = read_json_file(adapter_ / "adapter_config.json");
  const Model model_ = Model::load(fs::path(TRINE_TEST_DATA) / "families" / "olmoe");
};

TEST_F(PeftOptions, HaveNoEffectWhereTheTableSaysSo) {
  const std::uint64_t expected = Adapter::load(model_, adapter_).fingerprint();
  EXPECT_NE(fingerprint_with("lora_alpha", 7), expected);
  for (const auto& [field, value] : {std::pair<const char*, Json>{"target_modules", "all-linear"},
                                     {"exclude_modules", Json::array({"q_proj"})},
                                     {"layers_to_transform", Json::array({1})},
                                     {"layers_pattern", "layers"},
                                     {"fan_in_fan_out", true},
                                     {"lora_dropout", 0.5},
                                     {"eva_config", Json{{"rho", 2.0}}},
                                     {"velora_config", Json{{"num_groups", 4}}},
                                     {"megatron_config", Json{{"hidden_size", 32}}},
                                     {"megatron_core", "megatron.other"},
                                     {"loftq_config", Json{{"loftq_bits", 4}}},
                                     {"corda_config", Json{{"corda_method", "ipm"}}},
                                     {"lora_ga_config", Json{{"scale", "stable"}}},
                                     {"qalora_group_size", 32},
                                     {"task_type", "SEQ_2_SEQ_LM"},
                                     {"auto_mapping", Json{{"base_model_class", "Other"}}},
                                     {"inference_mode", false},
                                     {"base_model_name_or_path", "another/model"},
                                     {"revision", "main"},
                                     {"runtime_config", Json{{"ephemeral_gpu_offload", true}}},
                                     {"init_lora_weights", true},
                                     {"init_lora_weights", false},
                                     {"init_lora_weights", "gaussian"},
                                     {"init_lora_weights", "eva"},
                                     {"init_lora_weights", "orthogonal"}})
    EXPECT_EQ(fingerprint_with(field, value), expected) << field << ": " << value;
}

TEST_F(PeftOptions, AreRefusedWhereTheWeightsOfTheModelChanged) {
  for (const char* const init : {"pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga"})
    EXPECT_ERROR(fingerprint_with("init_lora_weights", init), ConfigError, "changes the weights of the model");
}

TEST_F(PeftOptions, AreAllInTheTable) {
  std::ifstream file(fs::path(TRINE_TEST_DATA) / "../../docs/how-to/lora.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(page.empty());
  for (const auto& item : config_.items()) EXPECT_THAT(page, testing::HasSubstr("`" + item.key() + "`"));
}

}  // namespace
}  // namespace trine::test
