// SPDX-License-Identifier: Apache-2.0
// Models of published shapes with random weights in memory: speed is measured without a download.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <trine/model/model.hpp>

namespace trine::bench {

/// Names that `make_synthetic` knows.
[[nodiscard]] std::vector<std::string> synthetic_shapes();

/// The config.json of a shape with so many layers; 0: all of them. `tiny` makes every width small, for a look at
/// whether it runs. Throws InputError for an unknown name, with the nearest one.
[[nodiscard]] Json synthetic_config(const std::string& shape, std::size_t layers, bool tiny);

/// Matrices have type `dtype` (f32, bf16, q8 or q4), but routers, norms and MLA's kv_b_proj, which stay f32 and bf16.
/// Weights of the same shape share no memory, so that reading them is as slow as in real life. `progress` is told the
/// bytes made and in all.
[[nodiscard]] Model make_synthetic(const Json& config, DType dtype,
                                   const std::function<void(std::size_t, std::size_t)>& progress = {});

}  // namespace trine::bench
