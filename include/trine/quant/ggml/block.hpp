// SPDX-License-Identifier: Apache-2.0
// What the block formats of ggml have in common. They are those of GGUF files: a row of a matrix is blocks of 32, 64 or
// 256 values, one after the other without padding, each with its scales. Multi-byte numbers are little endian. The
// layouts are those of ggml-common.h and of the Python package gguf: https://github.com/ggml-org/llama.cpp.
//
// A format is a function that decodes one block, and a line made by `ggml_format`. Products of scales and codes have at
// most 24 significant bits, so they are exact in f32, whatever the order of factors; a minimum that is added or
// subtracted rounds once, with or without a fused multiply-add.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <trine/core/float16.hpp>
#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI::ggml {

/// A number at an address of any alignment.
template <class T>
[[nodiscard]] T read(const std::uint8_t* bytes) noexcept {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}
[[nodiscard]] inline float read_f16(const std::uint8_t* bytes) noexcept {
  return static_cast<float>(read<float16>(bytes));
}
[[nodiscard]] inline std::uint32_t read_u32(const std::uint8_t* bytes) noexcept { return read<std::uint32_t>(bytes); }
[[nodiscard]] inline std::uint32_t read_u16(const std::uint8_t* bytes) noexcept { return read<std::uint16_t>(bytes); }

/// Codes that lie in the same bits of consecutive bytes.
template <unsigned Bits>
struct CodeRun {
  const std::uint8_t* bytes;
  unsigned shift;
  [[nodiscard]] int operator[](std::size_t i) const noexcept { return bytes[i] >> shift & ((1 << Bits) - 1); }
};

/// Codes from number `first` on, up to the next multiple of Run. Codes 0 to Run - 1 are the lowest `Bits` bits of Run
/// bytes, the next Run codes are the next bits of the same bytes, and so on; after them follow the next Run bytes.
template <unsigned Bits, std::size_t Run>
[[nodiscard]] CodeRun<Bits> codes_from(const std::uint8_t* bytes, std::size_t first) noexcept {
  constexpr std::size_t per_byte = 8 / Bits;
  return {bytes + first / (Run * per_byte) * Run + first % Run, static_cast<unsigned>(first / Run % per_byte) * Bits};
}
/// Code number i.
template <unsigned Bits, std::size_t Run>
[[nodiscard]] int code(const std::uint8_t* bytes, std::size_t i) noexcept {
  return codes_from<Bits, Run>(bytes, i)[0];
}

/// Decodes a block to `Values` floats. Where loops are simple enough for vectors, `out` is __restrict: bytes could be
/// parts of floats, so the compiler would load them one by one, between stores.
using DecodeBlock = void (*)(const std::uint8_t* block, float* out) noexcept;

/// WeightFormat::decode for blocks of `Values` values in `Bytes` bytes.
template <std::size_t Values, std::size_t Bytes, DecodeBlock Decode>
void decode_run(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                std::size_t out_step) noexcept {
  const auto* blocks = reinterpret_cast<const std::uint8_t*>(w.data) + row * w.stride;
  const std::size_t step = w.step[1];
  for (std::size_t k = 0, c = column; k < count;) {
    const std::uint8_t* block = blocks + c / Values * Bytes;
    if (c % Values == 0 && count - k >= Values && step == 1 && out_step == 1) {  // all of it, where it belongs
      Decode(block, out + k);
      k += Values;
      c += Values;
      continue;
    }
    float values[Values];
    Decode(block, values);
    for (const std::size_t end = (c / Values + 1) * Values; k < count && c < end; ++k, c += step)
      out[k * out_step] = values[c % Values];
  }
}

/// A format of blocks of `Values` values in `Bytes` bytes. A row has whole blocks only.   type: its number in GGUF
/// files
template <std::size_t Values, std::size_t Bytes, DecodeBlock Decode>
[[nodiscard]] constexpr WeightFormat ggml_format(DType dtype, std::string_view name, int type) noexcept {
  return {.dtype = dtype,
          .name = name,
          .block_columns = Values,
          .column_multiple = Values,
          .row_bytes = [](std::size_t columns) noexcept { return columns / Values * Bytes; },
          .decode = decode_run<Values, Bytes, Decode>,
          .in_checkpoints = true,
          .in_native_file = true,
          .ggml_type = type};
}

}  // namespace trine::inline TRINE_ABI::ggml
