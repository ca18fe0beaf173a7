// SPDX-License-Identifier: Apache-2.0
// Writes the safetensors format byte by byte, without a line of the reader: good files from tensors, bad ones from any
// header and data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trine::test {

/// `length` as 8 bytes, little endian; `header`; `data`.
[[nodiscard]] inline std::string safetensors_file(std::uint64_t length, std::string_view header,
                                                  std::string_view data) {
  std::string file;
  for (unsigned i = 0; i < 8; ++i) file += static_cast<char>(length >> (8 * i) & 0xffU);
  file += header;
  file += data;
  return file;
}
/// With the length that the header has.
[[nodiscard]] inline std::string safetensors_file(std::string_view header, std::string_view data) {
  return safetensors_file(header.size(), header, data);
}

/// Tensors in the order they are added, packed. Names are written as they are: none that JSON would have to escape.
class SafetensorsFileWriter {
 public:
  void add(const std::string& name, const std::string& dtype, const std::vector<std::size_t>& shape,
           std::string_view bytes) {
    std::string extents;
    for (const std::size_t extent : shape) extents += (extents.empty() ? "" : ",") + std::to_string(extent);
    const std::size_t begin = data_.size();
    data_ += bytes;
    entries_ += (entries_.empty() ? "\"" : ",\"") + name + R"(":{"dtype":")" + dtype + R"(","shape":[)" + extents +
                R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data_.size()) + "]}";
  }

  /// The header is padded with spaces so that the data begins `shift` bytes after a multiple of 8.
  [[nodiscard]] std::string file(std::size_t shift = 0) const {
    std::string header = "{" + entries_ + "}";
    while (header.size() % 8 != shift) header += ' ';
    return safetensors_file(header, data_);
  }

 private:
  std::string entries_;
  std::string data_;
};

}  // namespace trine::test
