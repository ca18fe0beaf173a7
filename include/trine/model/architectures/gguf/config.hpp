// SPDX-License-Identifier: Apache-2.0
// The configuration of a GGUF file, as the config.json of the same model would have it: one builder per family reads
// both. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Standardized key-value pairs"; llama.cpp,
// src/models.
//
// What a file leaves out is either a constant of its architecture, or follows from the tensors: tied heads, biases,
// frequencies that are not computed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/json/fwd.hpp>

namespace trine::inline TRINE_ABI {

class GgufMetadata;  // weights/gguf_metadata.hpp
class Notes;         // core/notes.hpp
class WeightSource;  // weights/weight_source.hpp

/// The names that "general.architecture" may have, in the order in which errors list them.
[[nodiscard]] TRINE_DECL std::vector<std::string_view> gguf_architectures();

/// The config.json of a GGUF file, for Model::build with GgufTensors. `tensors` are those of the file, under its names.
/// Throws ConfigError for an unknown architecture or a missing, invalid or unsupported value; for an unknown key of the
/// architecture, too, unless `notes` allows it. Throws WeightError if there is no embedding.
[[nodiscard]] TRINE_DECL Json gguf_config(const GgufMetadata& metadata, const WeightSource& tensors, Notes& notes);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/model/architectures/gguf/config.inl>
#endif
