// SPDX-License-Identifier: Apache-2.0
// The step from the text of a token in its vocabulary to the bytes that it stands for.
#pragma once

#include <string>
#include <string_view>

#include <trine/core/abi.hpp>
#include <trine/text/byte_level.hpp>

namespace trine::inline TRINE_ABI {

/// Const and thread-safe.
class TokenDecoder {
 public:
  TokenDecoder() = default;
  TokenDecoder(const TokenDecoder&) = delete;
  TokenDecoder& operator=(const TokenDecoder&) = delete;
  virtual ~TokenDecoder() = default;

  /// The bytes of one token: any bytes, often only a part of a character.
  [[nodiscard]] virtual std::string bytes(std::string_view token) const = 0;
};

/// The decoder "ByteLevel" of Hugging Face tokenizers: a token with a character outside the byte-level alphabet, such
/// as an added token with a space in it, stands for itself.
class ByteLevelDecoder final : public TokenDecoder {
 public:
  [[nodiscard]] std::string bytes(std::string_view token) const override {
    return from_byte_characters(token).value_or(std::string(token));
  }
};

}  // namespace trine::inline TRINE_ABI
