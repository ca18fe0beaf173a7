// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/session_file.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include <trine/core/error.hpp>
#include <trine/core/hash.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/session_file.hpp>
#include <trine/generate/session_format.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>
#include <trine/platform/atomic_file.hpp>
#include <trine/platform/mapped_file.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

// Of all that the caches depend on.
[[nodiscard]] inline std::uint64_t session_fingerprint(const Model& model, std::uint64_t adapters) {
  if (adapters == 0) return model.fingerprint();
  Hash hash;
  hash.add(model.fingerprint());
  hash.add(adapters);
  return hash.value();
}

}  // namespace detail

TRINE_DECL void write_session_file(const std::filesystem::path& path, const Model& model, const SequenceState& state) {
  AtomicFile file(path);
  Hash hash;
  const auto write = [&](std::span<const std::byte> bytes) {
    hash.add(bytes);
    file.write(bytes);
  };
  const detail::SessionHeader header{.fingerprint = detail::session_fingerprint(model, state.adapters),
                                     .kv_cache_dtype = static_cast<std::uint64_t>(state.kv_cache_dtype),
                                     .position = state.position,
                                     .tokens = state.tokens.size()};
  write(std::as_bytes(std::span(&header, 1)));
  write(std::as_bytes(std::span(state.tokens)));
  SequenceCache cache = state.cache;  // shares the pages
  detail::for_session_tables(model, state.position, cache, [&](const PageTable& table, std::size_t pages) {
    for (std::size_t page = 0; page < pages; ++page) write({table.read(page), table.page_bytes()});
  });
  const std::uint64_t sum = hash.value();
  file.write(std::as_bytes(std::span(&sum, 1)));
  file.commit();
}

TRINE_DECL SequenceState read_session_file(const std::filesystem::path& path, const Model& model,
                                           std::uint64_t adapters) {
  const MappedFile file(path, FileAccess::read);
  std::span<const std::byte> rest = file.bytes();
  const auto fail = [&](const std::string& what, ErrorKind kind = ErrorKind::damaged) {
    throw FileError(path.string() + ": " + what, {.kind = kind, .path = path.string()});
  };
  detail::SessionHeader header;
  if (rest.size() < sizeof header + sizeof(std::uint64_t))
    fail("expected a session of at least " + std::to_string(sizeof header + sizeof(std::uint64_t)) + " bytes, found " +
         std::to_string(rest.size()));
  std::memcpy(&header, rest.data(), sizeof header);
  if (header.magic != detail::kSessionMagic) fail("expected a session file, found other first bytes");
  if (header.version != detail::kSessionVersion)
    fail("version: expected 1, found " + std::to_string(header.version), ErrorKind::unsupported);
  if (const std::uint64_t own = detail::session_fingerprint(model, adapters); header.fingerprint != own)
    fail("fingerprint: expected " + detail::in_hex(own) + ", that of the model and its adapters, found " +
             detail::in_hex(header.fingerprint) + ": it was saved with another model or other adapters",
         ErrorKind::mismatch);
  if (header.kv_cache_dtype >= kKvCacheDtypeNames.size())
    fail("cache_type: expected 0, 1 or 2, found " + std::to_string(header.kv_cache_dtype));
  const ModelInfo& info = model.info();
  if (header.position > info.max_position_embeddings)
    fail("position: expected at most " + std::to_string(info.max_position_embeddings) + ", found " +
         std::to_string(header.position));
  if (header.tokens != (info.num_features == 0 ? header.position : 0))
    fail("tokens: expected one a position, found " + std::to_string(header.tokens));

  SequenceState state{static_cast<KvCacheDtype>(header.kv_cache_dtype), header.position, {}, {}, adapters};
  state.cache = model.transformer().make_cache(state.kv_cache_dtype);
  std::uint64_t size = sizeof header + header.tokens * sizeof(TokenId) + sizeof(std::uint64_t);
  size += model.cache_bytes(state.position, state.kv_cache_dtype);
  if (size != rest.size())
    fail("expected " + std::to_string(size) + " bytes for " + std::to_string(header.position) + " positions, found " +
         std::to_string(rest.size()));
  Hash hash;
  const auto take = [&](std::size_t count) {
    const std::span<const std::byte> part = rest.first(count);
    hash.add(part);
    rest = rest.subspan(count);
    return part;
  };
  static_cast<void>(take(sizeof header));
  state.tokens.resize(header.tokens);
  const std::span<const std::byte> tokens = take(state.tokens.size() * sizeof(TokenId));
  if (!tokens.empty()) std::memcpy(state.tokens.data(), tokens.data(), tokens.size());
  for (const TokenId token : state.tokens)
    if (token >= info.vocab_size && token != kNoTokenId)
      fail("tokens: expected ids below " + std::to_string(info.vocab_size) + ", found " + std::to_string(token));
  detail::for_session_tables(model, state.position, state.cache, [&](PageTable& table, std::size_t pages) {
    for (std::size_t page = 0; page < pages; ++page)
      std::memcpy(table.write(page), take(table.page_bytes()).data(), table.page_bytes());
  });
  std::uint64_t sum = 0;
  std::memcpy(&sum, rest.data(), sizeof sum);
  if (sum != hash.value()) fail("its bytes do not agree with their sum: it is damaged");
  return state;
}

}  // namespace trine::inline TRINE_ABI
