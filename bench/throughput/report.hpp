// SPDX-License-Identifier: Apache-2.0
// Results as JSON and as a table.
#pragma once

#include <string>

#include <trine/json/parse.hpp>

#include "throughput/measure.hpp"

namespace trine::bench {

[[nodiscard]] Json to_json(const MachineLimits& limits);
[[nodiscard]] Json to_json(const Result& result);
[[nodiscard]] Json to_json(const Work& work);

/// The head of the table, and a row of it.
[[nodiscard]] std::string table_head();
[[nodiscard]] std::string table_row(const Result& result);

}  // namespace trine::bench
