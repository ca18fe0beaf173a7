// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/open_weights.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using testing::ElementsAre;

class OpenWeights : public testing::TestWithParam<FileAccess> {
 protected:
  void write_native() const {
    directory_.write("weights.bin", std::string(4, '\0'));
    directory_.write("weights.json", R"({"format": "trine-weights", "version": 1, "alignment": 64, "nbytes": 4,
      "tensors": {"native": {"dtype": "f32", "shape": [1], "offset": 0, "nbytes": 4}}})");
  }
  void write_safetensors(const char* file, const char* tensor) const {
    test::SafetensorsFileWriter writer;
    writer.add(tensor, "F32", {1}, "0123");
    directory_.write(file, writer.file());
  }
  void write_index() const {
    write_safetensors("shard.safetensors", "sharded");
    directory_.write("model.safetensors.index.json", R"({"weight_map": {"sharded": "shard.safetensors"}})");
  }
  [[nodiscard]] std::unique_ptr<const WeightSource> open() const { return open_weights(directory_.path(), GetParam()); }
  test::TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(All, OpenWeights, testing::Values(FileAccess::map, FileAccess::read),
                         [](const auto& instance) { return instance.param == FileAccess::map ? "map" : "read"; });

TEST_P(OpenWeights, OpensTheNativeFormat) {
  write_native();
  EXPECT_THAT(open()->names(), ElementsAre("native"));
}

TEST_P(OpenWeights, OpensOneFileOfSafetensors) {
  write_safetensors("model.safetensors", "single");
  EXPECT_THAT(open()->names(), ElementsAre("single"));
}

TEST_P(OpenWeights, OpensAnIndexAndItsShards) {
  write_index();
  EXPECT_THAT(open()->names(), ElementsAre("sharded"));
}

TEST_P(OpenWeights, SaysWhatItLooksFor) {
  write_safetensors("adapter.safetensors", "other");
  EXPECT_ERROR(open(), FileError,
               directory_.path().string() +
                   ": expected weights.json, model.safetensors.index.json or model.safetensors, found none");
  EXPECT_ERROR(open_weights(directory_.path() / "nowhere"), FileError, "nowhere: expected weights.json");
}

TEST_P(OpenWeights, RefusesTwoSetsOfWeights) {
  write_native();
  write_safetensors("model.safetensors", "single");
  const std::string source_name = directory_.path().string() + ": expected one set of weights, found ";
  EXPECT_ERROR(open(), WeightError, source_name + "weights.json and model.safetensors");
  write_index();
  EXPECT_ERROR(open(), WeightError, source_name + "weights.json and model.safetensors");
  std::filesystem::remove(directory_.path() / "model.safetensors");
  EXPECT_ERROR(open(), WeightError, source_name + "weights.json and model.safetensors.index.json");
}

// As transformers does, which looks for the one file first.
TEST_P(OpenWeights, TakesTheOneFileBesideAnIndex) {
  write_index();
  write_safetensors("model.safetensors", "single");
  Notes notes;
  EXPECT_THAT(open_weights(directory_.path(), GetParam(), &notes)->names(), ElementsAre("single"));
  EXPECT_THAT(notes.all(), testing::Contains(testing::Field(&Note::subject, "model.safetensors.index.json")));
}

TEST_P(OpenWeights, NotesOtherWeights) {
  write_index();
  write_safetensors("consolidated.safetensors", "other");
  write_safetensors("adapter_model.safetensors", "other");
  directory_.write("pytorch_model-00001-of-00002.bin", "");
  directory_.write("original/consolidated.00.pth", "");
  directory_.write("README.md", "");
  directory_.write("figures/a.gguf", "");
  Notes notes;
  EXPECT_THAT(open_weights(directory_.path(), GetParam(), &notes)->names(), ElementsAre("sharded"));
  std::vector<std::string> subjects;
  for (const Note& note : notes.all()) subjects.push_back(note.subject);
  EXPECT_THAT(subjects, ElementsAre("adapter_model.safetensors", "consolidated.safetensors", "original",
                                    "pytorch_model-00001-of-00002.bin"));
}

TEST_P(OpenWeights, NamesALinkThatLeadsNowhere) {
  std::filesystem::create_symlink("../blobs/gone", directory_.path() / "model.safetensors");
  EXPECT_ERROR(open(), FileError, "model.safetensors: cannot be opened: No such file");
}

}  // namespace
}  // namespace trine
