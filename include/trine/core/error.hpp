// SPDX-License-Identifier: Apache-2.0
// The exceptions of the library. Catching `Error` at the top of an application catches all of them.
//
// A message has a path or field, what was expected and what was found:
//   layers.3.mlp.gate_proj.weight: expected shape [64, 2048], found [64, 1024] (weights.json)
// docs/reference/errors.md lists each kind with a sample and its usual cause. Besides its message, an Error has what a
// program can use: `kind()`, `path()` and `field()`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <trine/core/abi.hpp>
#include <trine/core/printable.hpp>

namespace trine::inline TRINE_ABI {

/// What went wrong, by the possible remedies.
enum class ErrorKind : std::uint8_t {
  damaged,       ///< the input violates its format or contradicts itself: download or repair it
  unsupported,   ///< the input is valid, but trine does not support it
  mismatch,      ///< two valid inputs do not belong together: another model's weights, session or shape
  not_found,     ///< no such file
  io,            ///< the system refuses to open, read or write a file
  out_of_range,  ///< a setting or an argument is outside the allowed range
  wrong_state,   ///< not possible now: the session was interrupted, the name is taken
  does_not_fit,  ///< memory, disk, context, or a limit on the work that a file may cause
  not_finite,    ///< a computation gave NaN or infinity
  rejected,      ///< a chat template rejects the conversation
  cancelled,     ///< requested by the caller
};

/// "damaged", "unsupported", ...: for logs.
[[nodiscard]] constexpr std::string_view to_string(ErrorKind kind) noexcept {
  constexpr std::array<std::string_view, 11> kNames = {"damaged",    "unsupported",  "mismatch",    "not_found",
                                                       "io",         "out_of_range", "wrong_state", "does_not_fit",
                                                       "not_finite", "rejected",     "cancelled"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// The details of an error.
struct ErrorDetails {
  std::optional<ErrorKind> kind = {};  ///< nullopt: the usual one of the exception's class
  std::string path = {};               ///< file or directory, byte for byte, or the caller's name of a document
  std::string field = {};              ///< key ("moe.router.k"), tensor, option or argument
};

/// The base of every exception that trine itself throws.
class Error : public std::runtime_error {
 public:
  /// What went wrong, by the possible remedies. By default, the usual kind of the class.
  [[nodiscard]] ErrorKind kind() const noexcept { return *details_->kind; }
  /// The file or directory of the error, byte for byte as in the system, so not for printing (the message is). Empty if
  /// there is none.
  [[nodiscard]] const std::string& path() const noexcept { return details_->path; }
  /// The key within that file, the tensor, the option or the argument; printable. Empty if there is none.
  [[nodiscard]] const std::string& field() const noexcept { return details_->field; }
  /// All three, for an error that forwards another one.
  [[nodiscard]] const ErrorDetails& details() const noexcept { return *details_; }

 protected:
  /// For the classes below: `usual` is the kind if `details` has none.
  Error(const std::string& message, const ErrorDetails& details, ErrorKind usual)
      : std::runtime_error(printable(message)),
        details_(std::make_shared<const ErrorDetails>(
            ErrorDetails{details.kind.value_or(usual), details.path, printable(details.field)})) {}

 private:
  std::shared_ptr<const ErrorDetails> details_;  // shared, as copying an exception must not throw
};

namespace detail {

// The common base of the classes below: a message, details, and a default kind.
template <ErrorKind kUsual>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message, const ErrorDetails& details = {}) : Error(message, details, kUsual) {}
};

}  // namespace detail

/// A file cannot be opened, read, mapped or written, or it is not the expected file.
class FileError : public detail::ErrorOf<ErrorKind::io> {
  using ErrorOf::ErrorOf;
};
/// A document is not valid JSON, or a setting is missing, unknown, of the wrong type, out of range or inconsistent.
class ConfigError : public detail::ErrorOf<ErrorKind::damaged> {
  using ErrorOf::ErrorOf;
};
/// A weight file or its manifest is damaged, or a tensor is missing, unexpected or of the wrong kind.
class WeightError : public detail::ErrorOf<ErrorKind::damaged> {
  using ErrorOf::ErrorOf;
};
/// Two shapes that must agree do not.
class ShapeError : public detail::ErrorOf<ErrorKind::mismatch> {
  using ErrorOf::ErrorOf;
};
/// A tokenizer file is damaged or requires something that is not supported.
class TokenizerError : public detail::ErrorOf<ErrorKind::damaged> {
  using ErrorOf::ErrorOf;
};
/// A chat template is damaged, uses something that is not supported, or rejects the conversation.
class TemplateError : public detail::ErrorOf<ErrorKind::damaged> {
  using ErrorOf::ErrorOf;
};
/// The machine lacks a requested feature, such as an instruction set.
class DeviceError : public detail::ErrorOf<ErrorKind::unsupported> {
  using ErrorOf::ErrorOf;
};
/// An argument of a call is out of range: a token id, an expert id, a sampling setting.
class InputError : public detail::ErrorOf<ErrorKind::out_of_range> {
  using ErrorOf::ErrorOf;
};
/// A sequence does not fit the context, or the context does not fit in memory.
class CapacityError : public detail::ErrorOf<ErrorKind::does_not_fit> {
  using ErrorOf::ErrorOf;
};
/// A computation produced NaN or infinity instead of finite values.
class NumericError : public detail::ErrorOf<ErrorKind::not_finite> {
  using ErrorOf::ErrorOf;
};
/// The caller's stop token requested cancellation.
class CancelledError : public detail::ErrorOf<ErrorKind::cancelled> {
  using ErrorOf::ErrorOf;
};

}  // namespace trine::inline TRINE_ABI
