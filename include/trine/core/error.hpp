// SPDX-License-Identifier: Apache-2.0
// The exceptions of the library. Catching `Error` at the edge of an application catches all of them.
//
// A message has a place, an expectation and a finding:
//   layers.3.mlp.gate_proj.weight: expected shape [64, 2048], found [64, 1024] (weights.json)
// docs/reference/errors.md lists each kind with a sample and its usual cause.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Root of every exception that trine throws on purpose.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file cannot be opened, read, mapped or written.
class FileError : public Error {
  using Error::Error;
};
/// A document is not the JSON it should be, or a setting is missing, unknown, mistyped, out of range or inconsistent.
class ConfigError : public Error {
  using Error::Error;
};
/// A weight file or its manifest is damaged, or a tensor is missing, unexpected or of the wrong kind.
class WeightError : public Error {
  using Error::Error;
};
/// Two shapes that must agree do not.
class ShapeError : public Error {
  using Error::Error;
};
/// A tokenizer description is damaged or asks for something that is not supported.
class TokenizerError : public Error {
  using Error::Error;
};
/// A chat template is damaged, asks for something that is not supported, or refuses the conversation.
class TemplateError : public Error {
  using Error::Error;
};
/// The machine lacks what was asked of it, such as an instruction set.
class DeviceError : public Error {
  using Error::Error;
};
/// An argument of a call is out of range: a token id, an expert id, a sampling setting.
class InputError : public Error {
  using Error::Error;
};
/// A sequence does not fit the context, or the context does not fit the memory.
class CapacityError : public Error {
  using Error::Error;
};
/// A computation gave no numbers: NaN or infinity where finite values belong.
class NumericError : public Error {
  using Error::Error;
};
/// The caller's stop token asked for an end.
class CancelledError : public Error {
  using Error::Error;
};

/// `text` with control and non-ASCII bytes as \xNN, cut after 64 bytes: safe in a message whatever it holds.
[[nodiscard]] inline std::string escaped(std::string_view text) {
  constexpr std::size_t kLimit = 64;
  constexpr const char* kHex = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, kLimit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      result += c;
    } else {
      result += "\\x";
      result += kHex[byte >> 4U];
      result += kHex[byte & 15U];
    }
  }
  return text.size() > kLimit ? result + "..." : result;
}

/// The same in single quotes.
[[nodiscard]] inline std::string in_quotes(std::string_view text) { return "'" + escaped(text) + "'"; }

}  // namespace trine::inline TRINE_ABI
