// SPDX-License-Identifier: Apache-2.0
// Progress and cancellation of a load, for each format of weights, mapped and read.
#include <trine/model/load_options.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/generate/session.hpp>
#include <trine/model/model.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/shape_only_weights.hpp>
#include <trine/weights/tensor_record.hpp>

#include "support/expect_error.hpp"
#include "support/golden.hpp"

namespace trine::test {
namespace {

struct LoadStep {
  std::uint64_t done;
  std::uint64_t total;
  std::string name;
};

// Files that this process holds open, and mappings of files of `directory`.
std::size_t resources_of(const std::filesystem::path& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(directory.string()) != std::string::npos) ++count;
  return count;
}

class LoadWith : public testing::TestWithParam<std::tuple<std::string, FileAccess>> {
 protected:
  [[nodiscard]] std::vector<LoadStep> load(LoadOptions options = {}) const {
    std::vector<LoadStep> steps;
    options.access = std::get<1>(GetParam());
    const auto caller = std::this_thread::get_id();
    options.progress = [&, then = options.progress](const LoadProgress& progress) {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      steps.push_back({progress.bytes_done, progress.bytes_total, std::string(progress.name)});
      if (then) then(progress);
    };
    static_cast<void>(Model::load(directory_, options));
    return steps;
  }

  const std::filesystem::path directory_ = std::filesystem::path(TRINE_TEST_DATA) / std::get<0>(GetParam());
};
// The native format, one safetensors file, and several.
INSTANTIATE_TEST_SUITE_P(All, LoadWith,
                         testing::Combine(testing::Values("summary", "families/mixtral",
                                                          "families/mixtral_sliding_window"),
                                          testing::Values(FileAccess::map, FileAccess::read)));

TEST_P(LoadWith, ProgressGoesUpToTheTotal) {
  const std::vector<LoadStep> steps = load();
  ASSERT_FALSE(steps.empty());
  const bool is_read = std::get<1>(GetParam()) == FileAccess::read;
  std::uint64_t total = 0;
  std::size_t files = 0;
  if (is_read) {
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (entry.path().filename() != "weights.bin" && entry.path().extension() != ".safetensors") continue;
      total += entry.file_size();
      ++files;
    }
  } else {
    total = Model::load(directory_).weight_bytes();
  }
  std::uint64_t done = 0;
  for (const LoadStep& step : steps) {
    EXPECT_GT(step.done, done) << step.name << ": each call brings something";
    EXPECT_EQ(step.total, total);
    done = step.done;
    EXPECT_EQ(step.name.starts_with(directory_.string()), is_read) << step.name;
  }
  EXPECT_EQ(done, total);
  if (is_read) {
    EXPECT_EQ(steps.size(), files) << "small files are read at once";
  } else {
    EXPECT_GT(steps.size(), 10U) << "tensor by tensor";
  }
}

TEST_P(LoadWith, ACancelledLoadLeavesNothing) {
  const std::size_t before = resources_of(directory_);
  const std::size_t all = load().size();
  for (std::size_t at = 0; at < all; at += 3) {
    std::stop_source stop;
    std::size_t calls = 0;
    LoadOptions options;
    options.cancel = stop.get_token();
    if (at == 0) stop.request_stop();  // before it began
    options.progress = [&](const LoadProgress&) {
      if (++calls == at) stop.request_stop();
    };
    EXPECT_ERROR(load(options), CancelledError, "load: cancelled by the caller");
    EXPECT_EQ(calls, at) << "no call after the request";
    EXPECT_EQ(resources_of(directory_), before);
  }
  EXPECT_EQ(load().size(), all);
}

TEST_P(LoadWith, WhatACallbackThrowsEndsTheLoad) {
  LoadOptions options;
  options.progress = [](const LoadProgress&) { throw std::runtime_error("mine"); };
  EXPECT_ERROR(load(options), std::runtime_error, "mine");
}

TEST(LoadProgress, CountsIgnoredTensorsInTheEnd) {
  const std::filesystem::path directory = std::filesystem::path(TRINE_TEST_DATA) / "families/deepseek_v3_bias_mtp";
  std::vector<LoadStep> steps;
  LoadOptions options;
  options.progress = [&](const LoadProgress& progress) {
    steps.push_back({progress.bytes_done, progress.bytes_total, std::string(progress.name)});
  };
  const Model model = Model::load(directory, options);
  ASSERT_GT(steps.size(), 2U);
  EXPECT_EQ(steps.back().name, "") << "the layer that drafts is not used";
  EXPECT_EQ(steps.back().done, model.weight_bytes());
  EXPECT_TRUE(
      std::ranges::none_of(steps.begin(), steps.end() - 1, [](const LoadStep& step) { return step.name.empty(); }));
}

TEST(LoadProgress, IsSilentWhereThereAreNoWeightsToWaitFor) {
  const std::string config = (std::filesystem::path(TRINE_TEST_DATA) / "families/mixtral/config.json").string();
  std::size_t calls = 0;
  LoadOptions options;
  options.progress = [&](const LoadProgress&) { ++calls; };
  static_cast<void>(Model::build(read_json_file(config), config, std::make_unique<ShapeOnlyWeights>(), options));
  static_cast<void>(Model::tensor_record(read_json_file(config), config,
                                         *open_weights(std::filesystem::path(config).parent_path()), options));
  EXPECT_EQ(calls, 0U);
  std::stop_source stop;
  stop.request_stop();
  options.cancel = stop.get_token();
  EXPECT_ERROR(Model::build(read_json_file(config), config, std::make_unique<ShapeOnlyWeights>(), options),
               CancelledError, "load: cancelled");
}

}  // namespace
}  // namespace trine::test
