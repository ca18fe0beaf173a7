// SPDX-License-Identifier: Apache-2.0
#include <trine/quantize/size_target.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/model_comparison.hpp>
#include <trine/quantize/input_collector.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
const fs::path kModel = fs::path(TRINE_MODELS_DIR) / "shakespeare";
const fs::path kFused = fs::path(TRINE_MODELS_DIR) / "deepseek-v3-shakespeare";

std::vector<TokenId> some_tokens(std::size_t count) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i) tokens.push_back(static_cast<TokenId>((i * i * 7 + i * 31) % 500));
  return tokens;
}

class SizeTarget : public testing::Test {
 protected:
  explicit SizeTarget(const fs::path& path = kModel) : quantizer_(path), tokens_(some_tokens(200)) {
    const auto collector = std::make_shared<InputCollector>(quantizer_.model());
    Session session(quantizer_.model(), {.activations = ActivationPrecision::f32, .input_observer = collector});
    static_cast<void>(session.forward(tokens_, OutputRows::all));
    statistics_ = collector->statistics();
  }

  [[nodiscard]] std::uint64_t bytes_of(DType type) const {
    std::uint64_t bytes = 0;
    for (const PlannedTensor& tensor : quantizer_.plan(type, rules_)) bytes += tensor.bytes_after;
    return bytes;
  }
  [[nodiscard]] SizedPlan plan(std::uint64_t bytes, const SizeTargetOptions& options = {}) const {
    return plan_for_size(quantizer_, bytes, statistics_, tokens_, rules_, options);
  }
  // The divergence of a model that is written, on the same tokens: each is the last of those that are compared.
  [[nodiscard]] double measured(const std::vector<PlannedTensor>& plan) const {
    const test::TemporaryDirectory place;
    quantizer_.write(plan, place.path() / "out", {.num_threads = 1, .statistics = &statistics_});
    std::vector<TokenId> tokens = tokens_;
    tokens.push_back(0);  // compare_models does not look at what follows the last one
    const SessionOptions exact{.activations = ActivationPrecision::f32, .reproducible = true};
    return compare_models(quantizer_.model(), exact, Model::load(place.path() / "out"), exact, tokens, tokens.size())
        .kl_divergence;
  }

  // One layer is enough, and faster.
  std::vector<QuantizeRule> rules_ = {
      {"layers.1.", std::nullopt}, {"layers.2.", std::nullopt}, {"layers.3.", std::nullopt}};
  ModelQuantizer quantizer_;
  std::vector<TokenId> tokens_;
  InputStatistics statistics_;
};

TEST_F(SizeTarget, GivesTypesOfDifferentSizes) {
  const std::uint64_t bytes = (bytes_of(kQ4a) + bytes_of(kQ6a)) / 2;
  std::size_t measured_groups = 0;
  const SizedPlan sized = plan(bytes, {.num_threads = 2, .progress = [&](std::size_t done, std::size_t total) {
                                         EXPECT_EQ(done, ++measured_groups);
                                         EXPECT_EQ(total, 8U);  // 4 + 3 kinds, and the embedding
                                       }});
  EXPECT_EQ(measured_groups, 8U);
  EXPECT_LE(sized.bytes, bytes);
  EXPECT_GT(sized.bytes, bytes - bytes / 100);
  std::uint64_t sum = 0;
  std::set<DType> types;
  for (const PlannedTensor& tensor : sized.plan) {
    sum += tensor.bytes_after;
    if (tensor.role == TensorRole::experts) types.insert(tensor.to);
    if (tensor.role == TensorRole::router) {
      EXPECT_EQ(tensor.to, tensor.from);
    }
  }
  EXPECT_EQ(sum, sized.bytes);
  EXPECT_GE(types.size(), 2U);

  // What was predicted is what happens, and it is better than one type for all of the same size.
  const double found = measured(sized.plan);
  EXPECT_NEAR(sized.total_divergence(), found, 0.3 * found);
  EXPECT_LT(measured(plan(bytes_of(kQ5a)).plan), 0.9 * measured(quantizer_.plan(kQ5a, rules_)));
}

TEST_F(SizeTarget, DoesNotDependOnThreads) {
  rules_.push_back({"experts", std::nullopt});
  const SizedPlan one = plan(bytes_of(kQ4a), {.num_threads = 1});
  const SizedPlan four = plan(bytes_of(kQ4a), {.num_threads = 4});
  EXPECT_EQ(one.divergence, four.divergence);
}

// One group alone: its divergence is that of the model that has it.
TEST_F(SizeTarget, MeasuresAGroupByRunningIt) {
  const std::vector<QuantizeRule> rules = {{"*", std::nullopt}, {"layers.0.moe.experts.*.down_proj", kQ4a}};
  const std::vector<PlannedTensor> one_group = quantizer_.plan(kQ4a, rules);
  const SizedPlan sized = plan_for_size(quantizer_, bytes_of(kQ8) * 4, statistics_, tokens_,
                                        std::vector<QuantizeRule>{{"*", std::nullopt}});
  EXPECT_TRUE(sized.groups.empty());
  EXPECT_EQ(sized.total_divergence(), 0.0);
  const SizedPlan all = plan(bytes_of(kQ8));
  const auto group = std::ranges::find(all.groups, "layers.0.moe.experts.*.down_proj.weight", &MeasuredGroup::name);
  ASSERT_NE(group, all.groups.end());
  EXPECT_EQ(group->type, kQ4a);
  EXPECT_NEAR(group->divergence, measured(one_group), 1e-3 * group->divergence);
  EXPECT_GT(group->divergence, 0.0);
}

TEST_F(SizeTarget, KeepsToRules) {
  rules_.push_back({"experts.3.", kQ3a});
  rules_.push_back({"embed", std::nullopt});
  const SizedPlan sized = plan(bytes_of(kQ6a));
  for (const PlannedTensor& tensor : sized.plan) {
    if (tensor.name.find("experts.3.") != std::string::npos) {
      EXPECT_EQ(tensor.to, kQ3a) << tensor.name;
    }
    if (tensor.name.find("embed") != std::string::npos) {
      EXPECT_EQ(tensor.to, tensor.from) << tensor.name;
    }
  }
}

TEST_F(SizeTarget, GivesRareExpertsFewerBits) {
  for (const char* projection : {"gate_proj", "up_proj", "down_proj"}) {  // as if it were chosen a thousandth as often
    const std::string name = std::string("layers.0.moe.experts.5.") + projection + ".weight";
    TensorInputs& inputs = statistics_.of(name, 0, 0);
    for (double& square : inputs.squares) square /= 1000.0;
    inputs.rows[0] = std::max<std::uint64_t>(inputs.rows[0] / 1000, 1);
  }
  const SizedPlan sized = plan(bytes_of(kQ5a));
  for (const PlannedTensor& tensor : sized.plan)
    if (tensor.name.find("layers.0.moe.experts.5.") != std::string::npos) {
      EXPECT_EQ(tensor.to, kQ3a) << tensor.name;
    }
}

TEST_F(SizeTarget, RefusesWhatIsImpossible) {
  EXPECT_ERROR(plan(1000), InputError,
               "bits per weight, the smallest that is possible, found 1000 bytes, 0.002 bits per weight");
  EXPECT_ERROR(plan_for_size(quantizer_, bytes_of(kQ8), statistics_, std::vector<TokenId>{3}), InputError,
               "tokens: expected at least 2, found 1");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_ERROR(plan(bytes_of(kQ8), {.cancel = stop.get_token()}), CancelledError, "cancelled");
}

// As transformers 5 stores experts: a stack has one type. And weights that are quantised already may stay as they are.
class SizeTargetOfFused : public SizeTarget {
 protected:
  SizeTargetOfFused() : SizeTarget(kFused) {}
};

TEST_F(SizeTargetOfFused, PlansLatentAttentionAndSharedExperts) {
  const SizedPlan sized = plan(bytes_of(kQ5a));
  EXPECT_LE(sized.bytes, bytes_of(kQ5a));
  const double found = measured(sized.plan);
  EXPECT_LT(found, measured(quantizer_.plan(kQ5a, rules_)));
  // Errors of a model whose choices of experts flip add up to less.
  EXPECT_GT(sized.total_divergence(), found);
  EXPECT_LT(sized.total_divergence(), 2.0 * found);
}

}  // namespace
}  // namespace trine
