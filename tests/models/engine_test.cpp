// SPDX-License-Identifier: Apache-2.0
// Several sequences in one pass, of every architecture: each gets the bits and the experts that it gets alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <trine/generate/engine.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_decorators.hpp>

#include "models/choice_recorder.hpp"
#include "support/golden.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> all_models() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories()) names.push_back(directory.filename().string());
  for (const fs::path& directory : golden_directories(fs::path(TRINE_TEST_DATA) / "families"))
    names.push_back("families/" + directory.filename().string());
  return names;
}

// What a sequence does: positions before, and what it brings to the pass that is compared.
struct Plan {
  std::size_t before;  // in tokens or frames
  std::size_t count;
  OutputRows rows;
  bool forced = false;  // every token goes to expert 1
};

struct Result {
  std::vector<std::uint32_t> outputs;  // bits
  std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;
  bool operator==(const Result&) const = default;
};

class MixedBatchPerIsa : public testing::TestWithParam<std::string> {
 protected:
  // A sequence that is ready for the pass, and who watches it.
  struct Ready {
    std::shared_ptr<ChoiceRecorder> recorder = std::make_shared<ChoiceRecorder>();
    std::unique_ptr<Sequence> sequence;
    SequenceInput input;
  };

  [[nodiscard]] std::size_t units() const {
    return golden_.tokens.empty() ? golden_.features.shape()[0] : golden_.tokens.size() / unit();
  }
  // Tokens that a call must bring together.
  [[nodiscard]] std::size_t unit() const { return model_.info().whole_frames ? model_.info().frame_size : 1; }

  [[nodiscard]] SequenceInput input(Sequence& sequence, std::size_t first, std::size_t count, OutputRows rows) const {
    if (!golden_.tokens.empty())
      return {.sequence = &sequence,
              .tokens = std::span(golden_.tokens).subspan(first * unit(), count * unit()),
              .rows = rows};
    return {.sequence = &sequence, .features = golden_.features.view().slice(first, count), .rows = rows};
  }

  [[nodiscard]] Ready prepare(const Plan& plan, std::uint64_t id) const {
    Ready ready;
    SequenceOptions options{.id = id, .observer = ready.recorder};
    if (plan.forced) {
      options.router_decorator = [](std::size_t, std::unique_ptr<Router> router) {
        return std::make_unique<ForcedExperts>(std::move(router), std::vector<std::uint32_t>{1});
      };
    }
    ready.sequence = std::make_unique<Sequence>(model_, options);
    Engine engine(model_, options_);
    if (plan.before > 0) {
      const SequenceInput before = input(*ready.sequence, 0, plan.before, OutputRows::last);
      static_cast<void>(engine.forward({&before, 1}));
    }
    ready.recorder->chosen.clear();
    ready.input = input(*ready.sequence, plan.before, plan.count, plan.rows);
    return ready;
  }

  [[nodiscard]] static Result result(const Ready& ready, const SequenceOutput& output) {
    Result result{{}, ready.recorder->chosen};
    for (const float value : output.outputs.span()) result.outputs.push_back(std::bit_cast<std::uint32_t>(value));
    return result;
  }

  void expect_same_bits(const std::vector<Plan>& plans) {
    std::vector<Result> alone;
    for (const Plan& plan : plans) {
      Engine engine(model_, options_);
      const Ready ready = prepare(plan, 0);
      alone.push_back(result(ready, engine.forward({&ready.input, 1}).front()));
      if (!plan.forced) continue;
      for (const auto& [layer, tokens] : alone.back().experts)
        for (const auto& experts : tokens) ASSERT_THAT(experts, testing::ElementsAre(1U)) << "layer " << layer;
    }
    for (const std::size_t prefill_chunk :
         {std::size_t{512}, std::size_t{24}}) {  // rows of a pass: all, and cut somewhere
      EngineOptions options = options_;
      options.prefill_chunk = prefill_chunk;
      Engine engine(model_, options);
      std::vector<Ready> ready;
      std::vector<SequenceInput> inputs;
      for (std::size_t i = 0; i < plans.size(); ++i) inputs.push_back(ready.emplace_back(prepare(plans[i], i)).input);
      const std::span<const SequenceOutput> outputs = engine.forward(inputs);
      ASSERT_EQ(outputs.size(), plans.size());
      for (std::size_t i = 0; i < plans.size(); ++i) {
        EXPECT_TRUE(result(ready[i], outputs[i]) == alone[i]) << "sequence " << i << ", passes of " << prefill_chunk;
        EXPECT_EQ(ready[i].sequence->position(), (plans[i].before + plans[i].count) * frame_rows());
      }
    }
  }
  [[nodiscard]] std::size_t frame_rows() const { return golden_.tokens.empty() ? model_.info().frame_size : unit(); }

  const fs::path directory_ = fs::path(TRINE_TEST_DATA) / GetParam();
  const Golden golden_ = read_golden(directory_);
  const Model model_ = Model::load(directory_);
  const EngineOptions options_{.num_threads = 3, .reproducible = true};  // a cut of a pass decides nothing
};

TEST_P(MixedBatchPerIsa, GivesEachSequenceWhatItGetsAlone) {
  if (golden_.tokens.size() > model_.info().max_position_embeddings) GTEST_SKIP() << "has fewer positions";
  const std::size_t all = units();
  const std::size_t half = std::max<std::size_t>(all / 2, 1);
  std::vector<Plan> plans{{0, all, OutputRows::all}, {0, half, OutputRows::last}, {0, 1, OutputRows::last}};
  if (all > half) {
    plans.push_back({half, 1, OutputRows::last});                                    // decode
    plans.push_back({half, std::min<std::size_t>(all - half, 4), OutputRows::all});  // verification of a draft
  }
  if (model_.info().is_routed()) plans.push_back({0, half, OutputRows::all, true});
  expect_same_bits(plans);
  std::ranges::reverse(plans);
  expect_same_bits(plans);
}

INSTANTIATE_TEST_SUITE_P(All, MixedBatchPerIsa, testing::ValuesIn(all_models()), [](const auto& parameter) {
  std::string name = parameter.param;
  std::ranges::replace(name, '/', '_');
  return name;
});

}  // namespace
}  // namespace trine::test
