// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/generate_options.hpp.
#pragma once

#include <filesystem>

#include <trine/core/token_id.hpp>
#include <trine/generate/generate_options.hpp>
#include <trine/generate/generation_config.hpp>
#include <trine/generate/logits_processor.hpp>
#include <trine/generate/sampler.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL GenerateOptions GenerateOptions::load(const std::filesystem::path& model) {
  GenerateOptions options;
  options.apply(read_generation_config(model));
  return options;
}

TRINE_DECL void GenerateOptions::apply(const GenerationConfig& config) {
  config.apply_to(sampling);
  eos_token_ids = config.eos_token_ids;
  if (config.max_new_tokens) max_new_tokens = *config.max_new_tokens;
  stop_strings.insert(stop_strings.end(), config.stop_strings.begin(), config.stop_strings.end());
}

}  // namespace trine::inline TRINE_ABI
