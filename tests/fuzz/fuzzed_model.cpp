// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzzed_model.hpp"

#include <utility>
#include <vector>

#include <trine/generate/session.hpp>

namespace trine::test {
namespace {

// A prefill and a step of decoding.
void run(const Model& model) {
  const ModelInfo& info = model.info();
  if (info.frame_size > 64 || info.num_features > 64) return;  // pages are as large as a frame
  Session session(model, {.num_threads = 1});
  for (const std::size_t positions : {info.whole_frames ? info.frame_size : 2, info.frame_size}) {
    if (info.num_features != 0) {
      const std::vector<float> values(info.frame_size * info.num_features, 0.5F);
      static_cast<void>(session.forward_features({values.data(), {1, info.frame_size, info.num_features}}));
    } else {
      static_cast<void>(session.forward(std::vector<TokenId>(positions)));
    }
  }
}

}  // namespace

void load_and_run(const std::filesystem::path& directory) { run(Model::load(directory)); }

void build_and_run(const Json& config, std::unique_ptr<const WeightSource> weights) {
  run(Model::build(config, "config.json", std::move(weights)));
}

}  // namespace trine::test
