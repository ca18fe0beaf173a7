// SPDX-License-Identifier: Apache-2.0
// What a session remembers, as a file. docs/reference/file-formats.md has the bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include <trine/cache/layer_state.hpp>
#include <trine/core/token_id.hpp>

namespace trine::inline TRINE_ABI {

class Model;  // model/model.hpp

/// A sequence that a model has seen.
struct SequenceState {
  KvCacheDtype kv_cache_dtype = KvCacheDtype::f32;  ///< how keys and values are kept
  std::size_t position = 0;                         ///< positions computed
  std::vector<TokenId> tokens;  ///< [position], kNoTokenId for an embedding; or none of a model that takes features
  SequenceCache cache;          ///< [layers] of these positions
  std::uint64_t adapters = 0;   ///< hash of the adapters that computed them, with their scales; 0: none
};

/// A file of that name is whole at any time, the old one or the new, also with several writers (AtomicFile). Throws
/// FileError.
TRINE_DECL void write_session_file(const std::filesystem::path& path, const Model& model, const SequenceState& state);

/// Throws FileError for a file that cannot be read, is damaged, or belongs to another model or other adapters.
[[nodiscard]] TRINE_DECL SequenceState read_session_file(const std::filesystem::path& path, const Model& model,
                                                         std::uint64_t adapters = 0);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/session_file.inl>
#endif
