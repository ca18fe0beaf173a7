// SPDX-License-Identifier: Apache-2.0
// The type of a parsed JSON document, for headers that only name it: nlohmann/json takes long to read.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Objects are sorted by key. (nlohmann::ordered_json looks keys up one by one: 60 000 of them, a vocabulary, took 5
/// s.)
using Json = nlohmann::json;

}  // namespace trine::inline TRINE_ABI
