// SPDX-License-Identifier: Apache-2.0
// The small files beside a model: any text as generation_config.json, whose numbers a sampler then gets, and as
// tokenizer_config.json.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <trine/generate/generation_config.hpp>
#include <trine/generate/sampler.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const trine::GenerationConfig config = trine::parse_generation_config(trine::parse_json(text, "input"), "input");
    trine::SamplingOptions options;
    config.apply_to(options);
    trine::Sampler sampler(options);
    const std::array<float, 4> logits{0.5F, -1.0F, 3.0F, 0.0F};
    const std::array<trine::TokenId, 2> history{1, 2};
    if (sampler.sample(logits, history) >= logits.size()) std::abort();
  } catch (const trine::Error&) {
  }
  try {
    static_cast<void>(trine::parse_tokenizer_config(text, "input"));
  } catch (const trine::Error&) {
  }
  return 0;
}
