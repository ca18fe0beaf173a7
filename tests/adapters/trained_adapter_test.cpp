// SPDX-License-Identifier: Apache-2.0
// The bundled adapter, which PEFT trained (examples/training/train_lora.py): the same perplexities, with it and without
// it, as transformers with PEFT finds (tests/oracle/make_trained_adapter_golden.py).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/logprobs.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

class TrainedAdapter : public testing::Test {
 protected:
  [[nodiscard]] Adapter load(const Model& model) const {
    return Adapter::load(model, directory_, {.regex = pcre2_regex});
  }

  // Windows that do not overlap; every token but the very first is scored.
  [[nodiscard]] double perplexity(const Model& model, std::vector<AdapterUse> adapters) const {
    const auto window = expected_["context"].get<std::size_t>();
    Session session(model, {.activations = ActivationPrecision::f32, .adapters = std::move(adapters)});
    double logprob = 0.0;
    for (std::size_t begin = 0; begin + 1 < tokens_.size(); begin += window) {
      const std::size_t count = std::min(window, tokens_.size() - 1 - begin);
      session.reset();
      const View<const float, 2> logits = session.forward(std::span(tokens_).subspan(begin, count), OutputRows::all);
      for (std::size_t i = 0; i < count; ++i) logprob += token_logprobs(logits.row(i), tokens_[begin + i + 1]).logprob;
    }
    return std::exp(-logprob / static_cast<double>(tokens_.size() - 1));
  }
  [[nodiscard]] double expected(const std::string& which) const {
    return expected_["excerpt"][which]["perplexity"].get<double>();
  }

  const fs::path base_ = fs::path(TRINE_MODELS_DIR) / "deepseek-v3-shakespeare";
  const fs::path directory_ = fs::path(TRINE_MODELS_DIR) / "deepseek-v3-shakespeare-lora-austen";
  const Json expected_ = read_json_file(directory_ / "expected.json");
  const std::vector<TokenId> tokens_ = expected_["excerpt"]["tokens"].get<std::vector<TokenId>>();
  const Model model_ = Model::load(base_);
};

TEST_F(TrainedAdapter, HasThePerplexityThatPeftFinds) {
  ASSERT_EQ(Tokenizer::load(base_).encode(expected_["excerpt"]["text"].get<std::string>()), tokens_);
  EXPECT_NEAR(perplexity(model_, {}), expected("without_adapter"), 5e-4) << "to four digits";
  EXPECT_NEAR(perplexity(model_, {{load(model_)}}), expected("with_adapter"), 5e-4) << "to four digits";
}

TEST_F(TrainedAdapter, HelpsAQuantisedModelAsMuch) {
  const TemporaryDirectory files;
  ModelQuantizer quantizer(base_);
  quantizer.write(quantizer.plan(kQ8), files.path() / "q8");
  const Model quantised = Model::load(files.path() / "q8");
  EXPECT_NEAR(perplexity(quantised, {{load(quantised)}}) / expected("with_adapter"), 1.0, 0.01);
}

TEST_F(TrainedAdapter, IsSmallAndNamesNoPathOfTheMachineThatTrainedIt) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) bytes += entry.file_size();
  EXPECT_LT(bytes, 1'000'000U);
  EXPECT_EQ(read_json_file(directory_ / "adapter_config.json")["base_model_name_or_path"], "deepseek-v3-shakespeare");
}

}  // namespace
}  // namespace trine::test
