// SPDX-License-Identifier: Apache-2.0
// The two ways to compute multi-head latent attention (attention/latent.hpp).
#pragma once

#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// They agree within round-off (1e-5 of the largest output; that of bf16 with Activations::native and weights in bf16),
/// and each gives a row the same bits however rows arrive.
enum class LatentAttentionForm : std::uint8_t {
  automatic,  // absorbed where a sequence brings one row, naive where it brings more
  naive,      // keys and values of every head are made from the latents, a block at a time: many rows share that work
  absorbed    // queries move into the space of the latents instead, where the cache is all that is read
};

}  // namespace trine::inline TRINE_ABI
