// SPDX-License-Identifier: Apache-2.0
// A non-owning reference to a callable: two pointers, no allocation. C++26 has it as std::function_ref (P0792).
#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Defined only for function types, such as FunctionRef<void(int)>.
template <class Signature>
class FunctionRef;

/// Refers to a callable that must outlive it, as the argument of a call does.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  /// Refers to `callable`. Implicit: it acts as the callable.
  template <std::invocable<Arguments...> Callable>
  FunctionRef(const Callable& callable) noexcept  // NOLINT(google-explicit-constructor)
      : callable_(std::addressof(callable)), call_([](const void* object, Arguments... arguments) -> Result {
          return (*static_cast<const Callable*>(object))(std::forward<Arguments>(arguments)...);
        }) {}

  /// Calls the callable. Throws what that throws.
  Result operator()(Arguments... arguments) const { return call_(callable_, std::forward<Arguments>(arguments)...); }

 private:
  const void* callable_;
  Result (*call_)(const void*, Arguments...);
};

}  // namespace trine::inline TRINE_ABI
