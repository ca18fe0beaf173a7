// SPDX-License-Identifier: Apache-2.0
// Loading and running a model, compiled once for the fuzzers that do so.
#pragma once

#include <filesystem>

#include <trine/json/parse.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::test {

/// Loads the directory and runs a few positions, if they are of a size that a fuzzer can afford. Throws Error.
void load_and_run(const std::filesystem::path& directory);

/// Builds the layers of the architecture that `config` names over `weights`, and forgets them. Throws Error.
void build(const Json& config, const WeightSource& weights);

}  // namespace trine::test
