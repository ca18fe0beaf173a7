// SPDX-License-Identifier: Apache-2.0
// Any config.json and weights.json: a model that answers, or one of our errors. Input: both, with "\n---\n" between.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <trine/generate/session.hpp>

#include "support/temporary_directory.hpp"

namespace {

// As many zero bytes of weights as the manifest says first, so that good manifests stay good.
std::size_t claimed_bytes(const std::string& manifest) {
  constexpr std::size_t kMost = std::size_t{1} << 20U;
  constexpr std::string_view kKey = "\"nbytes\":";
  const std::size_t at = manifest.find(kKey);
  if (at == std::string::npos) return 64;
  return std::min<std::size_t>(std::strtoull(manifest.c_str() + at + kKey.size(), nullptr, 10), kMost);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  const std::size_t middle = std::min(text.find(kSeparator), text.size());
  const std::string manifest(text.substr(std::min(middle + kSeparator.size(), text.size())));
  directory.write("config.json", text.substr(0, middle));
  directory.write("weights.json", manifest);
  directory.write("weights.bin", std::string(claimed_bytes(manifest), '\0'));
  try {
    const trine::Model model = trine::Model::load(directory.path());
    const trine::ModelInfo& info = model.info();
    if (info.frame_size > 64 || info.num_features > 64) return 0;  // pages are as large as a frame
    trine::Session session(model, {.threads = 1});
    if (info.num_features != 0) {
      const std::vector<float> values(info.frame_size * info.num_features, 0.5F);
      static_cast<void>(session.forward_features({values.data(), {1, info.frame_size, info.num_features}}));
    } else {
      const std::vector<trine::TokenId> tokens(info.whole_frames ? info.frame_size : 2);
      static_cast<void>(session.forward(tokens));
    }
  } catch (const trine::Error&) {
  }
  return 0;
}
