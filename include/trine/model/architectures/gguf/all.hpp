// SPDX-License-Identifier: Apache-2.0
// The architectures of GGUF files, in the order in which errors list them: new ones are a line here.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <trine/model/architectures/gguf/afmoe.hpp>
#include <trine/model/architectures/gguf/architecture.hpp>
#include <trine/model/architectures/gguf/cohere.hpp>
#include <trine/model/architectures/gguf/deepseek.hpp>
#include <trine/model/architectures/gguf/dots.hpp>
#include <trine/model/architectures/gguf/ernie.hpp>
#include <trine/model/architectures/gguf/exaone.hpp>
#include <trine/model/architectures/gguf/gemma4.hpp>
#include <trine/model/architectures/gguf/glm.hpp>
#include <trine/model/architectures/gguf/gpt_oss.hpp>
#include <trine/model/architectures/gguf/granite.hpp>
#include <trine/model/architectures/gguf/hunyuan.hpp>
#include <trine/model/architectures/gguf/laguna.hpp>
#include <trine/model/architectures/gguf/lfm2_moe.hpp>
#include <trine/model/architectures/gguf/llama.hpp>
#include <trine/model/architectures/gguf/llama4.hpp>
#include <trine/model/architectures/gguf/mellum.hpp>
#include <trine/model/architectures/gguf/mimo.hpp>
#include <trine/model/architectures/gguf/minimax.hpp>
#include <trine/model/architectures/gguf/olmoe.hpp>
#include <trine/model/architectures/gguf/qwen.hpp>
#include <trine/model/architectures/gguf/qwen_next.hpp>
#include <trine/model/architectures/gguf/sarvam.hpp>

namespace trine::inline TRINE_ABI::hf {

// clang-format off
/// One list for each file of families.
inline constexpr std::array kGgufArchitectures = std::to_array<std::span<const GgufArchitecture>>({
    {&kGgufLlama, 1},
    kGgufQwen,
    kGgufQwenNext,
    kGgufDeepseek,
    {&kGgufOlmoe, 1},
    {&kGgufGptOss, 1},
    {&kGgufGemma4, 1},
    {&kGgufGlm, 1},
    {&kGgufMiniMax, 1},
    {&kGgufErnie, 1},
    {&kGgufDots, 1},
    kGgufHunyuan,
    {&kGgufLfm2Moe, 1},
    {&kGgufAfmoe, 1},
    {&kGgufCohere, 1},
    {&kGgufExaone, 1},
    {&kGgufGranite, 1},
    {&kGgufLaguna, 1},
    {&kGgufLlama4, 1},
    {&kGgufMellum, 1},
    {&kGgufMimo, 1},
    {&kGgufSarvam, 1},
});
// clang-format on

/// The architecture with this name, or null.
[[nodiscard]] constexpr const GgufArchitecture* find_gguf_architecture(std::string_view name) noexcept {
  for (const std::span<const GgufArchitecture> list : kGgufArchitectures) {
    const auto found = std::ranges::find(list, name, &GgufArchitecture::name);
    if (found != list.end()) return &*found;
  }
  return nullptr;
}

}  // namespace trine::inline TRINE_ABI::hf
