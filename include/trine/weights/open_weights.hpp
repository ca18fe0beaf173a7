// SPDX-License-Identifier: Apache-2.0
// The weights of a model directory, whatever their format.
#pragma once

#include <filesystem>
#include <memory>

#include <trine/core/notes.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// Opens what `directory` holds of
///   weights.json                  the native format
///   model.safetensors.index.json  safetensors, several files
///   model.safetensors             safetensors, one file
/// Of the last two, model.safetensors takes precedence, as in transformers. The native format together with one of them
/// is ambiguous and an error, as is none of them. `notes` receives other weights of the directory, which are not read:
/// consolidated.safetensors, pytorch_model.bin, original/ and so on. Throws FileError, ConfigError,
/// WeightError, and what `on_read` throws.
[[nodiscard]] TRINE_DECL std::unique_ptr<const WeightSource> open_weights(const std::filesystem::path& directory,
                                                                          FileAccess access = FileAccess::map,
                                                                          Notes* notes = nullptr,
                                                                          const ReadCallback& on_read = {});

/// Returns whether `directory` holds one of the files that open_weights looks for.
[[nodiscard]] TRINE_DECL bool has_weights(const std::filesystem::path& directory);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/weights/open_weights.inl>
#endif
