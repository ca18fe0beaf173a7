// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/sampling_options.hpp.
#pragma once

#include <cmath>
#include <sstream>

#include <trine/core/error.hpp>
#include <trine/generate/sampling_options.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL void SamplingOptions::validate() const {
  const auto require = [](const char* name, float found, bool valid, const char* expected) {
    if (valid) return;
    std::ostringstream message;
    message << name << ": expected " << expected << ", found " << found;
    throw InputError(message.str(), {.field = name});
  };
  require("temperature", temperature, temperature >= 0.0F && std::isfinite(temperature), "a finite number, 0 or more");
  require("top_p", top_p, top_p >= 0.0F && top_p <= 1.0F, "a number from 0 to 1");
  require("min_p", min_p, min_p >= 0.0F && min_p <= 1.0F, "a number from 0 to 1");
  require("repeat_penalty", repeat_penalty, repeat_penalty > 0.0F && std::isfinite(repeat_penalty),
          "a finite number above 0");
}

}  // namespace trine::inline TRINE_ABI
