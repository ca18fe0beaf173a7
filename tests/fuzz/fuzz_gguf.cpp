// SPDX-License-Identifier: Apache-2.0
// Any GGUF file, as the first of two parts: a good second one lies beside it. What is accepted must be what the format
// promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include <trine/weights/gguf.hpp>

#include "support/gguf_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void touch(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {  // AddressSanitizer watches each access
    const volatile std::byte copy = byte;
    static_cast<void>(copy);
  }
}

// Calls a getter, which may refuse the value.
template <class Get>
void attempt(const Get& get) {
  try {
    static_cast<void>(get());
  } catch (const trine::ConfigError&) {
  }
}

void check(const trine::GgufMetadata& metadata) {
  for (const std::string_view key : metadata.keys()) {
    const trine::GgufValue* value = metadata.find(key);
    require(value != nullptr && value->type != trine::GgufType::array);
    touch(value->bytes);
    require(!describe(*value).empty());
    attempt([&] { return metadata.string(key); });
    attempt([&] { return metadata.boolean(key); });
    attempt([&] { return metadata.unsigned_integer(key, 1, 1000); });
    attempt([&] { return metadata.integer(key, -1000, 1000); });
    attempt([&] { return metadata.number(key); });
    attempt([&] { return metadata.booleans(key); });
    attempt([&] { return metadata.unsigned_integers(key, 0, 1000); });
    attempt([&] { return metadata.integers(key); });
    attempt([&] { return metadata.numbers(key); });
    attempt([&] {
      for (const std::string_view text : metadata.strings(key))
        touch(std::as_bytes(std::span(text.data(), text.size())));
      return 0;
    });
  }
}

void check(const trine::GgufFile& source, std::size_t file_bytes) {
  check(source.metadata());
  require(source.files().size() <= 2 && source.names().size() == source.tensors().size());
  std::map<std::size_t, std::size_t> total;  // by part: nothing is there twice
  for (const auto& [name, tensor] : source.tensors()) {
    std::size_t elements = 1;
    for (const std::size_t extent : tensor.stored.shape) elements *= extent;
    require(elements / tensor.type->block_elements * tensor.type->block_bytes == tensor.stored.bytes.size());
    touch(tensor.stored.bytes);
    total[tensor.part] += tensor.stored.bytes.size();
    require(source.source_name_of(name) == source.files()[tensor.part]);
    try {
      require(source.find(name) == &tensor.stored && tensor.type->dtype());
      const std::size_t alignment = trine::size_bytes(tensor.stored.dtype);
      if (alignment > 0) require(reinterpret_cast<std::uintptr_t>(tensor.stored.bytes.data()) % alignment == 0);
    } catch (const trine::WeightError&) {
      require(!tensor.type->dtype());
    }
  }
  require(total[0] < file_bytes);
}

class Folder {
 public:
  Folder() {
    directory_.write("m-00002-of-00002.gguf", trine::test::GgufWriter()
                                                  .set("split.no", std::uint16_t{1})
                                                  .set("split.count", std::uint16_t{2})
                                                  .add("second", 24, {2}, "ab")
                                                  .file());
  }
  [[nodiscard]] std::filesystem::path write(std::string_view bytes) const {
    return directory_.write("m-00001-of-00002.gguf", bytes);
  }

 private:
  trine::test::TemporaryDirectory directory_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::filesystem::path file = folder.write({reinterpret_cast<const char*>(data), size});
  try {
    // Read, not mapped: the sanitizer knows where memory of our own ends.
    check(trine::GgufFile(file, trine::FileAccess::read), size);
    require(trine::is_gguf(file));
  } catch (const trine::Error&) {
  }
  return 0;
}
