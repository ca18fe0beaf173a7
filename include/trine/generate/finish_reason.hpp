// SPDX-License-Identifier: Apache-2.0
// Why a generation ended.
#pragma once

#include <cstdint>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Why a generation ended.
enum class FinishReason : std::uint8_t {
  length,        ///< as many tokens as were asked for
  eos,           ///< the model ended the text
  stop_string,   ///< a stop string occurred; it is not shown
  context_full,  ///< the context has no room for another token
  cancelled,     ///< the caller asked for the end; the session stays usable, unlike after a CancelledError
};

/// The name of the enumerator, such as "stop_string".
[[nodiscard]] constexpr std::string_view to_string(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::eos:
      return "eos";
    case FinishReason::stop_string:
      return "stop_string";
    case FinishReason::context_full:
      return "context_full";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "?";
}

}  // namespace trine::inline TRINE_ABI
