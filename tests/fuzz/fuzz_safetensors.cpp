// SPDX-License-Identifier: Apache-2.0
// Any safetensors file. An input that begins with '{' is a header, which gets the length and the data that it asks for;
// any other input is a file as it is. What is accepted must be what the format promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <trine/weights/safetensors.hpp>

#include "fuzz/plausible_size.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const trine::Safetensors& source, std::size_t file_bytes) {
  std::size_t total = 0;
  for (const std::string_view name : source.names()) {
    const trine::StoredTensor* tensor = source.find(name);
    require(tensor != nullptr);
    std::size_t bytes = trine::size_bytes(tensor->dtype);
    for (const std::size_t extent : tensor->shape) bytes *= extent;
    require(bytes == tensor->bytes.size());
    total += bytes;
    if (tensor->bytes.empty()) continue;
    require(reinterpret_cast<std::uintptr_t>(tensor->bytes.data()) % trine::size_bytes(tensor->dtype) == 0);
    for (const std::byte byte : tensor->bytes) {  // AddressSanitizer watches each access
      const volatile std::byte copy = byte;
      static_cast<void>(copy);
    }
  }
  require(total < file_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  std::string file(reinterpret_cast<const char*>(data), size);
  if (file.starts_with('{'))
    file = trine::test::safetensors_file(file, std::string(trine::test::plausible_size(file), 'x'));
  try {
    // Read, not mapped: the sanitizer knows where memory of our own ends.
    check(trine::Safetensors(directory.write("model.safetensors", file), trine::FileAccess::read), file.size());
  } catch (const trine::Error&) {
  }
  return 0;
}
