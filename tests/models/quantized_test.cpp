// SPDX-License-Identifier: Apache-2.0
// What quantising the bundled models costs: the perplexity of the passages in their self-tests, which are text that
// they were not trained on.
#include <cmath>
#include <filesystem>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include <trine/generate/self_test.hpp>
#include <trine/quantize/quantize_model.hpp>

#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

// Mean of -ln softmax(logits)[next token] over all passages.
double loss_of(const Model& model, const SelfTest& passages, ActivationPrecision activations) {
  double total = 0;
  std::size_t count = 0;
  for (const SelfTest::Case& passage : passages.cases) {
    Session session(model, {.activations = activations});
    const View<const float, 2> logits = session.forward(passage.tokens, OutputRows::all);
    for (std::size_t t = 0; t + 1 < passage.tokens.size(); ++t, ++count) {
      double sum = 0;
      for (const float logit : logits.row(t)) sum += std::exp(static_cast<double>(logit));
      total += std::log(sum) - static_cast<double>(logits(t, passage.tokens[t + 1]));
    }
  }
  return total / static_cast<double>(count);
}

class QuantizedModel : public testing::TestWithParam<std::tuple<std::string, DType>> {};

// A few hundred tokens are a noisy sample, so that of q8 may lose more than it does on a whole text, 0.1 %, or gain
// (docs/measurements/quantised-weights.md).
TEST_P(QuantizedModel, PredictsNearlyAsWell) {
  const auto& [name, type] = GetParam();
  const std::filesystem::path directory = std::filesystem::path(TRINE_MODELS_DIR) / name;
  const SelfTest passages = read_self_test(directory / "self_test.json");
  const TemporaryDirectory files;
  ModelQuantizer quantizer(directory);
  quantizer.write(quantizer.plan(type), files.path() / "quantised");
  const Model quantised = Model::load(files.path() / "quantised");
  EXPECT_LT(static_cast<double>(quantised.weight_bytes()),
            static_cast<double>(quantizer.model().weight_bytes()) * (type == kQ8 ? 0.6 : 0.4));

  const double before = loss_of(quantizer.model(), passages, ActivationPrecision::f32);
  const double after = loss_of(quantised, passages, ActivationPrecision::native);
  EXPECT_NE(before, after);
  EXPECT_LT(std::exp(after - before), type == kQ8 ? 1.003 : 1.02);
  EXPECT_GT(std::exp(after - before), 0.98);
}

INSTANTIATE_TEST_SUITE_P(Bundled, QuantizedModel,
                         testing::Combine(testing::Values("shakespeare", "deepseek-v3-shakespeare"),
                                          testing::Values(kQ8, kQ4)),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param) == "shakespeare" ? "native_" : "deepseek_v3_") +
                                  std::string(to_string(std::get<1>(param.param)));
                         });

}  // namespace
}  // namespace trine::test
