// SPDX-License-Identifier: Apache-2.0
// The definition of all_architectures: a new one is a line here.
#pragma once

#include <trine/model/architectures/afmoe.hpp>
#include <trine/model/architectures/all.hpp>
#include <trine/model/architectures/cohere.hpp>
#include <trine/model/architectures/deepseek.hpp>
#include <trine/model/architectures/deepseek_v32.hpp>
#include <trine/model/architectures/dots.hpp>
#include <trine/model/architectures/ernie.hpp>
#include <trine/model/architectures/exaone.hpp>
#include <trine/model/architectures/gemma4.hpp>
#include <trine/model/architectures/glm.hpp>
#include <trine/model/architectures/gpt_oss.hpp>
#include <trine/model/architectures/granite_moe.hpp>
#include <trine/model/architectures/hunyuan.hpp>
#include <trine/model/architectures/kimi_linear.hpp>
#include <trine/model/architectures/laguna.hpp>
#include <trine/model/architectures/lfm2_moe.hpp>
#include <trine/model/architectures/llama.hpp>
#include <trine/model/architectures/llama4.hpp>
#include <trine/model/architectures/mellum.hpp>
#include <trine/model/architectures/mimo.hpp>
#include <trine/model/architectures/minimax.hpp>
#include <trine/model/architectures/mistral4.hpp>
#include <trine/model/architectures/mixtral.hpp>
#include <trine/model/architectures/olmoe.hpp>
#include <trine/model/architectures/phimoe.hpp>
#include <trine/model/architectures/qwen_moe.hpp>
#include <trine/model/architectures/qwen_next.hpp>
#include <trine/model/architectures/sarvam.hpp>
#include <trine/model/architectures/solar_open.hpp>
#include <trine/model/architectures/step.hpp>
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
      {"deepseek_v32", build_deepseek_v32},
      {"glm4_moe", build_glm4_moe},
      {"glm4_moe_lite", build_glm4_moe_lite},
      {"glm_moe_dsa", build_glm_moe_dsa},
      {"sarvam_moe", build_sarvam_moe},
      {"minimax_m2", build_minimax_m2},
      {"ernie4_5_moe", build_ernie4_5_moe},
      {"dots1", build_dots1},
      {"hunyuan_v1_moe", build_hunyuan_v1_moe},
      {"hy_v3", build_hy_v3},
      {"exaone_moe", build_exaone_moe},
      {"solar_open", build_solar_open},
      {"step3p5", build_step3p5},
      {"step3p7", build_step3p7},
      {"mixtral", build_mixtral},
      {"phimoe", build_phimoe},
      {"qwen2_moe", build_qwen2_moe},
      {"qwen3_moe", build_qwen3_moe},
      {"qwen3_next", build_qwen3_next},
      {"qwen3_5_moe", build_qwen3_5_moe},
      {"qwen3_5_moe_text", build_qwen3_5_moe_text},
      {"olmoe", build_olmoe},
      {"flex_olmo", build_flex_olmo},
      {"gpt_oss", build_gpt_oss},
      {"gemma4", build_gemma4},
      {"gemma4_text", build_gemma4_text},
      {"afmoe", build_afmoe},
      {"cohere2_moe", build_cohere2_moe},
      {"granitemoe", build_granite_moe},
      {"laguna", build_laguna},
      {"llama4", build_llama4},
      {"llama4_text", build_llama4_text},
      {"mellum", build_mellum},
      {"mimo_v2_flash", build_mimo_v2_flash},
      {"kimi_linear", build_kimi_linear},
      {"lfm2_moe", build_lfm2_moe},
      {"llama", build_llama},
      {"mistral", build_mistral},
      {"mistral3", build_mistral3},
      {"mistral4", build_mistral4},
      {"qwen2", build_qwen2},
      {"qwen3", build_qwen3},
  };
  // clang-format on
}

}  // namespace trine::inline TRINE_ABI
