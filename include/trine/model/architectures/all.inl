// SPDX-License-Identifier: Apache-2.0
// The definition of all_architectures: a new one is a line here.
#pragma once

#include <trine/model/architectures/all.hpp>
#include <trine/model/architectures/deepseek.hpp>
#include <trine/model/architectures/gpt_oss.hpp>
#include <trine/model/architectures/lfm2_moe.hpp>
#include <trine/model/architectures/llama.hpp>
#include <trine/model/architectures/mixtral.hpp>
#include <trine/model/architectures/olmoe.hpp>
#include <trine/model/architectures/qwen_moe.hpp>
#include <trine/model/architectures/qwen_next.hpp>
#include <trine/model/architectures/trine.hpp>
#include <trine/model/transformer.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL ArchitectureRegistry all_architectures() {
  // clang-format off
  return {
      {"trine", build_trine},
      {"deepseek_v2", build_deepseek_v2},
      {"deepseek_v3", build_deepseek_v3},
      {"kimi_k2", build_deepseek_v3},
      {"mixtral", build_mixtral},
      {"qwen2_moe", build_qwen2_moe},
      {"qwen3_moe", build_qwen3_moe},
      {"qwen3_next", build_qwen3_next},
      {"qwen3_5_moe", build_qwen3_5_moe},
      {"qwen3_5_moe_text", build_qwen3_5_moe_text},
      {"olmoe", build_olmoe},
      {"gpt_oss", build_gpt_oss},
      {"lfm2_moe", build_lfm2_moe},
      {"llama", build_llama},
      {"mistral", build_mistral},
      {"qwen2", build_qwen2},
      {"qwen3", build_qwen3},
  };
  // clang-format on
}

}  // namespace trine::inline TRINE_ABI
