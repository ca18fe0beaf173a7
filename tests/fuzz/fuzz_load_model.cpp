// SPDX-License-Identifier: Apache-2.0
// Any config.json with any manifest: a model that answers, or one of our errors. Input: both, with "\n---\n" between.
// The manifest is weights.json, or the header of a safetensors file; the weights are as many zeros as it says.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "fuzz/fuzzed_model.hpp"
#include "fuzz/plausible_size.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  const std::size_t middle = std::min(text.find(kSeparator), text.size());
  const std::string_view manifest = text.substr(std::min(middle + kSeparator.size(), text.size()));
  const std::string weights(trine::test::plausible_size(manifest), '\0');

  directory.write("config.json", text.substr(0, middle));
  if (manifest.find("data_offsets") != std::string_view::npos) {
    std::filesystem::remove(directory.path() / "weights.json");
    directory.write("model.safetensors", trine::test::safetensors_file(manifest, weights));
  } else {
    std::filesystem::remove(directory.path() / "model.safetensors");
    directory.write("weights.json", manifest);
    directory.write("weights.bin", weights);
  }
  try {
    trine::test::load_and_run(directory.path());
  } catch (const trine::Error&) {
  }
  return 0;
}
