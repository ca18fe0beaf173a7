// SPDX-License-Identifier: Apache-2.0
// tests/golden/ggml/NAME.bin: blocks of a format of ggml, decoded by the Python package gguf
// (tests/oracle/make_ggml_goldens.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace trine::test {

struct GgmlGolden {
  std::uint32_t type;          // in GGUF files
  std::uint32_t values;        // per block
  std::uint32_t bytes;         // per block
  std::uint32_t finite_count;  // of `blocks`, the first

  std::vector<std::uint8_t> blocks;
  std::vector<float> decoded;  // of `blocks`
  std::vector<std::uint8_t> hashed_blocks;
  std::vector<std::uint32_t> hashes;  // of each block's values: `hash_of`
};

/// FNV-1a of the bytes of floats, NaNs as 0x7fc00000.
inline std::uint32_t hash_of(const float* values, std::size_t count) {
  std::uint32_t hash = 0x811c9dc5U;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits = 0x7fc00000U;
    if (values[i] == values[i]) std::memcpy(&bits, values + i, sizeof bits);
    for (unsigned shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 255U)) * 0x01000193U;
  }
  return hash;
}

/// Throws std::runtime_error for a file that is not there or too short.
inline GgmlGolden read_ggml_golden(std::string_view name) {
  const std::string path = std::string(TRINE_TEST_DATA "/ggml/").append(name).append(".bin");
  std::ifstream file(path, std::ios::binary);
  const auto read = [&](auto* into, std::size_t count) {
    file.read(reinterpret_cast<char*>(into), static_cast<std::streamsize>(count * sizeof *into));
    if (!file) throw std::runtime_error(path + ": not there, or too short");
  };
  std::uint32_t header[6];
  read(header, 6);
  GgmlGolden golden{header[0], header[1], header[2], header[5], {}, {}, {}, {}};
  golden.blocks.resize(std::size_t{header[3]} * golden.bytes);
  golden.decoded.resize(std::size_t{header[3]} * golden.values);
  golden.hashed_blocks.resize(std::size_t{header[4]} * golden.bytes);
  golden.hashes.resize(header[4]);
  read(golden.blocks.data(), golden.blocks.size());
  read(golden.decoded.data(), golden.decoded.size());
  read(golden.hashed_blocks.data(), golden.hashed_blocks.size());
  read(golden.hashes.data(), golden.hashes.size());
  return golden;
}

}  // namespace trine::test
