// SPDX-License-Identifier: Apache-2.0
#include "fuzz/model_under_test.hpp"

#include <vector>

#include <trine/generate/session.hpp>

namespace trine::test {

void load_and_run(const std::filesystem::path& directory) {
  const Model model = Model::load(directory);
  const ModelInfo& info = model.info();
  if (info.frame_size > 64 || info.num_features > 64) return;  // pages are as large as a frame
  Session session(model, {.threads = 1});
  if (info.num_features != 0) {
    const std::vector<float> values(info.frame_size * info.num_features, 0.5F);
    static_cast<void>(session.forward_features({values.data(), {1, info.frame_size, info.num_features}}));
  } else {
    const std::vector<TokenId> tokens(info.whole_frames ? info.frame_size : 2);
    static_cast<void>(session.forward(tokens));
  }
}

void build(const Json& config, const WeightSource& weights) {
  const std::string place = "config.json";
  static const ArchitectureRegistry architectures = all_architectures();
  ObjectReader reader(config, place);
  const auto architecture = architectures.find(reader.string("model_type"));
  if (architecture == architectures.end()) throw ConfigError(place + ": model_type: no such architecture");
  WeightReader fetched(weights);
  static_cast<void>(architecture->second({config, place, RouterRegistry(), RouterWrapper()}, WeightScope(fetched)));
}

}  // namespace trine::test
