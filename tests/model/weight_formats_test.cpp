// SPDX-License-Identifier: Apache-2.0
// The same tensors in another container are the same model, bit for bit.
#include <bit>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/weights/native_weights.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/weight_source.hpp>

#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using test::SafetensorsFileWriter;

const fs::path kGolden = fs::path(TRINE_TEST_DATA) / "summary_expert_attention";

void add(SafetensorsFileWriter& writer, const std::string& name, const StoredTensor& tensor) {
  std::string dtype(to_string(tensor.dtype));
  for (char& c : dtype) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  writer.add(name, dtype, tensor.shape, {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
}

// The golden model with its tensors in safetensors files.
class Converted {
 public:
  Converted(std::size_t files, std::size_t shift) {
    fs::copy_file(kGolden / "config.json", directory_.path() / "config.json");
    const NativeWeights source(kGolden);
    std::vector<SafetensorsFileWriter> writers(files);
    Json map = Json::object();
    std::size_t next = 0;
    for (const std::string_view name : source.names()) {
      const std::size_t file = next++ % files;
      add(writers[file], std::string(name), *source.find(name));
      map[std::string(name)] = file_name(file);
    }
    for (std::size_t file = 0; file < files; ++file)
      directory_.write(files == 1 ? "model.safetensors" : file_name(file), writers[file].file(shift));
    if (files > 1)
      directory_.write("model.safetensors.index.json", Json{{"metadata", Json::object()}, {"weight_map", map}}.dump());
  }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }

 private:
  static std::string file_name(std::size_t file) { return "model-" + std::to_string(file) + ".safetensors"; }
  test::TemporaryDirectory directory_;
};

std::vector<std::uint32_t> logits(const Model& model) {
  Session session(model);
  std::vector<std::uint32_t> result;
  for (const float value : session.forward(test::read_golden(kGolden).tokens, OutputRows::all).span())
    result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

TEST(WeightFormats, GiveTheSameModel) {
  const Model native = Model::load(kGolden);
  const auto expected = logits(native);
  for (const std::size_t files : {1U, 3U}) {
    for (const std::size_t shift : {0U, 1U}) {
      for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
        const Converted converted(files, shift);
        const Model model = Model::load(converted.path(), {.access = access});
        EXPECT_EQ(model.weight_bytes(), native.weight_bytes());
        EXPECT_EQ(logits(model), expected) << files << " files, shifted by " << shift;
      }
    }
  }
}

TEST(WeightFormats, AnErrorNamesTheFileThatHoldsTheTensor) {
  const Converted converted(2, 0);
  Json config = read_json_file(kGolden / "config.json");
  config["vocab_size"] = config["vocab_size"].get<std::size_t>() + 1;
  std::ofstream(converted.path() / "config.json") << config;
  const auto source = open_weights(converted.path());
  EXPECT_ERROR(Model::load(converted.path()), WeightError, "(" + source->source_name_of("embed_tokens.weight") + ")");
  EXPECT_THAT(source->source_name_of("embed_tokens.weight"), testing::HasSubstr("/model-0.safetensors"));
}

}  // namespace
}  // namespace trine
