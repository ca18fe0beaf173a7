// SPDX-License-Identifier: Apache-2.0
// Loading and running a model, compiled once for the fuzzers that do so.
#pragma once

#include <filesystem>
#include <memory>

#include <trine/json/parse.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::test {

/// Loads the directory and runs a few positions, if they are of a size that a fuzzer can afford. Throws Error.
void load_and_run(const std::filesystem::path& directory);

/// The same for a configuration and weights that lie anywhere. Throws Error.
void build_and_run(const Json& config, std::unique_ptr<const WeightSource> weights);

}  // namespace trine::test
