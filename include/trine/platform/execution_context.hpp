// SPDX-License-Identifier: Apache-2.0
// How a computation runs: instruction set, threads and cancellation. Passed down, never global.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/platform/executor.hpp>

namespace trine::inline TRINE_ABI {

/// The type of activations in matmuls.
enum class ActivationPrecision : std::uint8_t {
  f32,        ///< always f32, whatever the type of the weights: the arithmetic of the reference
  automatic,  ///< int8 with q8, q3a to q6a, q4 and most formats of ggml, whose values are rounded anyway; otherwise f32
  native,     ///< also bf16 with bf16 weights, in panels or if the CPU has bf16 dot products: faster, less exact
};

/// Each value with its name, as the programs spell it.
inline constexpr std::array<std::pair<ActivationPrecision, std::string_view>, 3> kActivationPrecisionNames{
    {{ActivationPrecision::f32, "f32"},
     {ActivationPrecision::automatic, "automatic"},
     {ActivationPrecision::native, "native"}}};

/// The two ways to compute multi-head latent attention (attention/multi_head_latent_attention.hpp). They agree within
/// round-off (1e-5 of the largest output; that of bf16 with ActivationPrecision::native and weights in bf16), and each
/// gives a row the same bits however the input is split into calls.
enum class MlaForm : std::uint8_t {
  automatic,  ///< the cheaper one for the rows and cached positions of a pass: depends on how the input is split
  naive,      ///< computes keys and values of every head from the latents, block by block, shared by many rows
  absorbed    ///< maps queries into the latent space instead, and reads only the cache
};

/// Each value with its name, as the programs spell it.
inline constexpr std::array<std::pair<MlaForm, std::string_view>, 3> kMlaFormNames{
    {{MlaForm::automatic, "automatic"}, {MlaForm::naive, "naive"}, {MlaForm::absorbed, "absorbed"}}};

/// The value of that name; nullopt for a name that is not in kMlaFormNames.
[[nodiscard]] constexpr std::optional<MlaForm> parse_mla_form(std::string_view name) noexcept {
  for (const auto& [form, spelled] : kMlaFormNames)
    if (spelled == name) return form;
  return std::nullopt;
}

/// How a computation runs. Results do not depend on `threads` and `executor`; they may differ in the last bits between
/// instruction sets.
struct ExecutionContext {
  Isa isa = Isa::portable;      ///< must be available on this CPU: see is_available()
  std::size_t num_threads = 1;  ///< maximum number of concurrent threads, including the caller's
  std::stop_token stop = {};    ///< checked between layers; a pass then ends with CancelledError
  ActivationPrecision activations = ActivationPrecision::f32;  ///< type of activations in matmuls
  Executor* executor = nullptr;           ///< supplies threads; null: everything runs in the calling thread
  MlaForm mla_form = MlaForm::automatic;  ///< form of multi-head latent attention

  /// The maximum number of concurrent threads, including the caller's, for sizing scratch memory. At least 1.
  [[nodiscard]] std::size_t num_workers() const noexcept {
    return executor == nullptr ? 1 : std::clamp<std::size_t>(num_threads, 1, executor->max_workers());
  }
  /// The same with activations in f32, for routers, whose decisions must not depend on rounding.
  [[nodiscard]] ExecutionContext with_f32_activations() const {
    ExecutionContext other = *this;
    other.activations = ActivationPrecision::f32;
    return other;
  }
  /// Throws CancelledError if the caller requested cancellation. Called between layers.
  void check_stop() const {
    if (stop.stop_requested()) throw CancelledError("cancelled by the caller");
  }
};

}  // namespace trine::inline TRINE_ABI
