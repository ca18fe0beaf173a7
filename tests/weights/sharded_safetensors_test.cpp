// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/sharded_safetensors.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <ostream>
#include <string>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using test::SafetensorsFileWriter;
using testing::ElementsAre;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kOne = "model-00001-of-00002.safetensors";
constexpr const char* kTwo = "model-00002-of-00002.safetensors";

// "a" and "c" in the first file, "b" in the second.
class ShardedTest : public testing::Test {
 protected:
  ShardedTest() {
    SafetensorsFileWriter one;
    one.add("a", "U8", {2}, "aA");
    one.add("c", "U8", {1}, "c");
    directory_.write(kOne, one.file());
    SafetensorsFileWriter two;
    two.add("b", "U8", {3}, "bbb");
    directory_.write(kTwo, two.file());
  }

  [[nodiscard]] static Json index() {
    return {{"metadata", {{"total_size", 6}}}, {"weight_map", {{"a", kOne}, {"b", kTwo}, {"c", kOne}}}};
  }
  [[nodiscard]] ShardedSafetensors open(const Json& document, FileAccess access = FileAccess::map) const {
    return ShardedSafetensors(directory_.write(kIndex, document.dump()), access);
  }
  [[nodiscard]] std::string in_folder(const char* file) const { return (directory_.path() / file).string(); }

  test::TemporaryDirectory directory_;
};

TEST_F(ShardedTest, GivesTheTensorsOfAllFiles) {
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    const ShardedSafetensors source = open(index(), access);
    EXPECT_THAT(source.names(), ElementsAre("a", "b", "c"));
    EXPECT_EQ(source.find("d"), nullptr);
    ASSERT_NE(source.find("b"), nullptr);
    EXPECT_EQ(source.find("b")->bytes.size(), 3U);
    EXPECT_EQ(source.find("a")->bytes[1], std::byte{'A'});
    // One mapping a file: "c" follows "a" in memory.
    EXPECT_EQ(source.find("c")->bytes.data(), source.find("a")->bytes.data() + 2);
  }
}

TEST_F(ShardedTest, NamesTheFileThatHoldsATensor) {
  const ShardedSafetensors source = open(index());
  EXPECT_EQ(source.source_name(), in_folder(kIndex));
  EXPECT_EQ(source.source_name_of("a"), in_folder(kOne));
  EXPECT_EQ(source.source_name_of("b"), in_folder(kTwo));
  EXPECT_EQ(source.source_name_of("d"), in_folder(kIndex));
}

TEST_F(ShardedTest, NeedsNoMetadata) {
  Json document = index();
  document["metadata"] = Json::object();
  EXPECT_EQ(open(document).names().size(), 3U);
  document.erase("metadata");
  EXPECT_EQ(open(document).names().size(), 3U);
}

TEST_F(ShardedTest, NamesTheEntryWhoseFileIsMissing) {
  std::filesystem::remove(directory_.path() / kTwo);
  EXPECT_ERROR(open(index()), FileError,
               in_folder(kIndex) + ": weight_map.b: " + in_folder(kTwo) + ": cannot be opened: No such file");
}

TEST_F(ShardedTest, NamesTheShardThatIsDamaged) {
  directory_.write(kTwo, "");
  EXPECT_ERROR(open(index()), WeightError, in_folder(kTwo) + ": expected the 8 bytes of a header's length");
}

TEST_F(ShardedTest, RefusesAShardThatIsNoRegularFile) {
  std::filesystem::remove(directory_.path() / kTwo);
  std::filesystem::create_directory(directory_.path() / kTwo);
  EXPECT_ERROR(open(index()), FileError, in_folder(kTwo) + ": expected a regular file");
  std::filesystem::remove(directory_.path() / kTwo);
  ASSERT_EQ(::mkfifo((directory_.path() / kTwo).c_str(), 0600), 0);
  EXPECT_ERROR(open(index()), FileError, in_folder(kTwo) + ": expected a regular file");
  std::filesystem::remove(directory_.path() / kTwo);
  std::filesystem::create_symlink("/dev/zero", directory_.path() / kTwo);
  EXPECT_ERROR(open(index()), FileError, in_folder(kTwo) + ": expected a regular file");
}

// The cache of Hugging Face: snapshots/REVISION/FILE is a link to ../../blobs/HASH.
TEST_F(ShardedTest, FollowsTheLinksOfTheFolder) {
  const test::TemporaryDirectory cache;
  std::filesystem::create_directories(cache.path() / "blobs");
  std::filesystem::create_directories(cache.path() / "snapshots" / "main");
  for (const char* file : {kOne, kTwo}) {
    std::filesystem::copy_file(directory_.path() / file, cache.path() / "blobs" / (std::string("0") + file));
    std::filesystem::create_symlink("../../blobs/0" + std::string(file), cache.path() / "snapshots" / "main" / file);
  }
  cache.write("blobs/1", index().dump());
  const std::filesystem::path link = cache.path() / "snapshots" / "main" / kIndex;
  std::filesystem::create_symlink("../../blobs/1", link);
  EXPECT_EQ(ShardedSafetensors(link).names().size(), 3U);
}

TEST_F(ShardedTest, RefusesATensorThatItsFileDoesNotHold) {
  Json document = index();
  document["weight_map"]["d"] = kTwo;
  EXPECT_ERROR(open(document), WeightError,
               in_folder(kIndex) + ": weight_map.d: expected the tensor in " + in_folder(kTwo) + ", found none");
}

TEST_F(ShardedTest, RefusesATensorThatIsListedForAnotherFile) {
  Json document = index();
  document["weight_map"]["c"] = kTwo;
  EXPECT_ERROR(open(document), WeightError,
               in_folder(kIndex) + ": weight_map.c: expected the tensor in " + in_folder(kTwo) + ", found none");
}

TEST_F(ShardedTest, HasTensorsThatTheIndexDoesNotList) {
  Json document = index();
  document["weight_map"].erase("c");
  const ShardedSafetensors source = open(document);
  EXPECT_THAT(source.names(), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(source.is_listed("a"));
  EXPECT_FALSE(source.is_listed("c"));
  EXPECT_EQ(source.find("c")->bytes[0], std::byte{'c'});
  EXPECT_EQ(source.source_name_of("c"), in_folder(kOne));
  EXPECT_THAT(source.files(), ElementsAre(kOne, kTwo));
}

TEST_F(ShardedTest, TakesATensorFromTheFileThatTheIndexNames) {
  SafetensorsFileWriter two;
  two.add("b", "U8", {3}, "bbb");
  two.add("c", "U8", {1}, "C");
  directory_.write(kTwo, two.file());
  Notes notes;
  const ShardedSafetensors source(directory_.write(kIndex, index().dump()), FileAccess::map, {}, &notes);
  EXPECT_EQ(source.find("c")->bytes[0], std::byte{'c'});
  ASSERT_EQ(notes.all().size(), 1U);
  EXPECT_EQ(notes.all()[0], (Note{"c", "not read from " + std::string(kTwo) + ": the index names another file"}));
  Json document = index();
  document["weight_map"].erase("c");
  EXPECT_ERROR(open(document), WeightError,
               in_folder(kTwo) + ": tensor 'c': expected one file to hold it, or " + in_folder(kIndex) +
                   " to name one, found it in " + in_folder(kOne) + ", too");
}

struct Damage {
  const char* where;     // JSON pointer into the index
  const char* value;     // what is put there
  const char* expected;  // what the message says, the file aside
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.where << " = " << damage.value; }

class DamagedIndex : public ShardedTest, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedIndex, IsRefusedByTheNameOfTheField) {
  Json document = index();
  document[Json::json_pointer(GetParam().where)] = Json::parse(GetParam().value);
  EXPECT_ERROR(open(document), ConfigError, in_folder(kIndex) + ": " + GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, DamagedIndex,
    testing::Values(Damage{"", "[]", "expected a JSON object, found a list"},
                    Damage{"/metadata", "[]", "metadata: expected a JSON object, found a list"},
                    Damage{"/weight_map", "null", "weight_map: expected a value, found none"},
                    Damage{"/weight_map", "[]", "weight_map: expected a JSON object, found a list"},
                    Damage{"/weights", "{}", "unknown key 'weights'"},
                    Damage{"/weight_map/b", "2",
                           "weight_map.b: expected the plain name of a .safetensors file of the "
                           "same folder, found 2"},
                    Damage{"/weight_map/b", "null", "weight_map.b: expected the plain name of a .safetensors file"}));

// Every name here would lead to a good file with the tensor "b" if it were opened as it is: see the test below.
class NameOutsideTheFolder : public ShardedTest, public testing::WithParamInterface<const char*> {};

TEST_P(NameOutsideTheFolder, IsRefused) {
  Json document = index();
  std::string name = GetParam();
  if (name == "ABSOLUTE") name = in_folder(kTwo);
  if (name == "NUL") name = kTwo + std::string("\0.safetensors", 13);
  document["weight_map"]["b"] = name;
  EXPECT_ERROR(open(document), ConfigError,
               in_folder(kIndex) + ": weight_map.b: expected the plain name of a .safetensors file of the same folder");
}

INSTANTIATE_TEST_SUITE_P(All, NameOutsideTheFolder,
                         testing::Values("ABSOLUTE", "NUL", "../model-00002-of-00002.safetensors",
                                         "./model-00002-of-00002.safetensors", "x/../model-00002-of-00002.safetensors",
                                         "..\\model-00002-of-00002.safetensors", "C:model.safetensors", "", ".", "..",
                                         "/", "\n.safetensors", ".safetensors", "model-00002-of-00002.bin",
                                         "config.json", "model-00002-of-00002.safetensors/",
                                         "model-00002-of-00002.safetensors/."));

TEST_F(ShardedTest, RefusesAnIndexCutAnywhere) {
  const std::string whole = index().dump();
  for (std::size_t length = 0; length < whole.size(); length += 3) {
    directory_.write(kIndex, whole.substr(0, length));
    EXPECT_ERROR(ShardedSafetensors(directory_.path() / kIndex), ConfigError, in_folder(kIndex));
  }
}

TEST_F(ShardedTest, RefusesATensorThatIsListedTwice) {
  directory_.write(kIndex, R"({"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}})");
  EXPECT_ERROR(ShardedSafetensors(directory_.path() / kIndex), ConfigError, "key 'a' appears twice in one object");
}

}  // namespace
}  // namespace trine
