// SPDX-License-Identifier: Apache-2.0
// The parts of a session file. docs/reference/file-formats.md has the bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <trine/cache/layer_state.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

inline constexpr std::array<char, 8> kSessionMagic{'t', 'r', 'i', 'n', 'e', 's', 'e', 's'};
inline constexpr std::uint64_t kSessionVersion = 1;

struct SessionHeader {
  std::array<char, 8> magic = kSessionMagic;
  std::uint64_t version = kSessionVersion;
  std::uint64_t fingerprint = 0;
  std::uint64_t kv_cache_dtype = 0;
  std::uint64_t position = 0;
  std::uint64_t tokens = 0;
};
static_assert(sizeof(SessionHeader) == 48);

// Pages that the caches of a sequence have, table after table.
template <class Use>
void for_session_tables(const Model& model, std::size_t position, SequenceCache& cache, const Use& use) {
  for (std::size_t layer = 0; layer < cache.size(); ++layer) {
    const std::vector<std::size_t> pages = model.transformer().blocks()[layer].attention->cache_pages(position);
    for (std::size_t i = 0; i < pages.size(); ++i) use(cache[layer].tables[i], pages[i]);
  }
}

[[nodiscard]] inline std::string in_hex(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) text[i] = "0123456789abcdef"[value & 15U];
  return text;
}

}  // namespace detail

}  // namespace trine::inline TRINE_ABI
