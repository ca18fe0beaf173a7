// SPDX-License-Identifier: Apache-2.0
// Any model.safetensors.index.json over two good files, with a third one outside the folder that must never be opened.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <trine/weights/sharded_safetensors.hpp>

#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

class Folder {
 public:
  Folder() {
    add("model/one.safetensors", "ac");
    add("model/two.safetensors", "b");
    add("outside.safetensors", "x");
  }
  [[nodiscard]] std::filesystem::path model() const { return directory_.path() / "model"; }
  [[nodiscard]] std::filesystem::path write_index(std::string_view text) const {
    return directory_.write("model/model.safetensors.index.json", text);
  }

 private:
  void add(const char* file, std::string_view tensors) const {
    trine::test::SafetensorsFileWriter writer;
    for (const char name : tensors) writer.add(std::string(1, name), "U8", {1}, "0");
    directory_.write(file, writer.file());
  }
  trine::test::TemporaryDirectory directory_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  try {
    const trine::ShardedSafetensors source(folder.write_index({reinterpret_cast<const char*>(data), size}));
    for (const std::string_view name : source.names()) {
      const std::filesystem::path file = source.source_name_of(name);
      if (source.find(name) == nullptr || file.parent_path() != folder.model() || name == "x") std::abort();
    }
  } catch (const trine::Error&) {
  }
  return 0;
}
