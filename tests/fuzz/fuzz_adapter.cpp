// SPDX-License-Identifier: Apache-2.0
// Any adapter_config.json with any header of tensors, for one of the golden models: an adapter with which the model
// answers, or one of our errors. Input: a digit that names the model, the configuration, the header and the bytes that
// the tensors repeat, with "\n---\n" between the last three.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/session.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>

#include "fuzz/plausible_size.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

const std::filesystem::path kFamilies = std::filesystem::path(TRINE_TEST_DATA) / "families";

// Removes and returns what precedes the next separator.
std::string_view next_part(std::string_view& text) {
  constexpr std::string_view kSeparator = "\n---\n";
  const std::size_t end = std::min(text.find(kSeparator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + kSeparator.size(), text.size()));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  static const std::array models{
      trine::Model::load(kFamilies / "olmoe"), trine::Model::load(kFamilies / "mixtral_fused_tied"),
      trine::Model::load(kFamilies / "qwen3_moe"), trine::Model::load(kFamilies / "gpt_oss_bf16"),
      trine::Model::load(kFamilies / "deepseek_v2_lite")};
  if (size == 0) return 0;
  const trine::Model& model = models[(data[0] - std::size_t{'0'}) % models.size()];
  std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);

  directory.write("adapter_config.json", next_part(text));
  const std::string_view header = next_part(text);
  std::string numbers(trine::test::plausible_size(header), '\x3c');  // 0.0115 in f32 and bf16, 1.06 in f16
  for (std::size_t i = 0; !text.empty() && i < numbers.size(); ++i) numbers[i] = text[i % text.size()];
  directory.write("adapter_model.safetensors", trine::test::safetensors_file(header, numbers));
  try {
    const trine::Adapter adapter = trine::Adapter::load(model, directory.path(), {.regex = trine::pcre2_regex});
    std::vector<trine::AdapterUse> adapters{{adapter}};
    if (adapter.info().saved_modules == 0) adapters.push_back({adapter, -0.5F});
    trine::Session session(model, {.num_threads = 1, .adapters = adapters});
    for (const std::size_t tokens : {3U, 1U}) static_cast<void>(session.forward(std::vector<trine::TokenId>(tokens)));
  } catch (const trine::Error&) {
  }
  return 0;
}
