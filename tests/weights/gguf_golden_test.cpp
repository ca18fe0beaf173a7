// SPDX-License-Identifier: Apache-2.0
// Files that the Python package wrote (tests/oracle/make_gguf_goldens.py), and what it read from them.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <trine/json/parse.hpp>
#include <trine/weights/gguf.hpp>

namespace trine {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(TRINE_TEST_DATA) / "gguf";

const Json& expected() {
  static const Json document = read_json_file(kFolder / "expected.json");
  return document;
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4U];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15U];
  }
  return text;
}
std::string hex(std::string_view text) { return hex(std::as_bytes(std::span(text.data(), text.size()))); }

// UINT8 is u8, FLOAT32 f32, BOOL bool.
std::string package_name(GgufType type) {
  std::string name(to_string(type));
  if (std::isdigit(static_cast<unsigned char>(name.back())) != 0)
    name = (name[0] == 'u' ? "UINT" : name[0] == 'i' ? "INT" : "FLOAT") + name.substr(1);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

// The values of a key, by the getters of its type; strings as the hex of their bytes.
Json values(const GgufMetadata& metadata, const std::string& key) {
  const GgufValue& value = *metadata.find(key);
  Json result = Json::array();
  if (value.type == GgufType::string) {
    if (!value.is_array) return Json::array({hex(metadata.string(key))});
    for (const std::string_view text : metadata.strings(key)) result.push_back(hex(text));
  } else if (value.type == GgufType::boolean) {
    if (!value.is_array) return Json::array({metadata.boolean(key)});
    for (const bool flag : metadata.booleans(key)) result.push_back(flag);
  } else if (value.type == GgufType::f32 || value.type == GgufType::f64) {
    if (!value.is_array) return Json::array({metadata.number(key)});
    result = metadata.numbers(key);
  } else if (to_string(value.type)[0] == 'u') {
    if (!value.is_array) return Json::array({metadata.unsigned_integer(key)});
    result = metadata.unsigned_integers(key);
  } else {
    if (!value.is_array) return Json::array({metadata.integer(key)});
    result = metadata.integers(key);
  }
  return result;
}

void expect_file(const GgufFile& source, const Json& file) {
  EXPECT_EQ(source.metadata().keys().size(), file["metadata"].size());
  for (const auto& [key, wanted] : file["metadata"].items()) {
    const GgufValue* found = source.metadata().find(key);
    ASSERT_NE(found, nullptr) << key;
    EXPECT_EQ(package_name(found->type), wanted["type"].get<std::string>()) << key;
    EXPECT_EQ(found->is_array, wanted["array"].get<bool>()) << key;
    EXPECT_EQ(values(source.metadata(), key), wanted["values"]) << key;
  }
  EXPECT_EQ(source.names().size(), file["tensors"].size());
  for (const auto& [name, wanted] : file["tensors"].items()) {
    ASSERT_TRUE(source.tensors().contains(name)) << name;
    const GgufFile::Tensor& found = source.tensors().at(name);
    EXPECT_EQ(found.type->name, wanted["type"].get<std::string>()) << name;
    EXPECT_EQ(hex(found.stored.bytes), wanted["hex"].get<std::string>()) << name;
    EXPECT_EQ(found.stored.shape, wanted["shape"].get<std::vector<std::size_t>>()) << name;
    if (found.type->dtype()) {
      EXPECT_EQ(source.find(name), &found.stored) << name;
      EXPECT_EQ(found.stored.dtype, *found.type->dtype()) << name;
    }
  }
}

TEST(GgufGolden, FilesAreAsThePackageReadsThem) {
  ASSERT_EQ(expected()["files"].size(), 6U);
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    for (const auto& [name, file] : expected()["files"].items()) {
      SCOPED_TRACE(name);
      expect_file(GgufFile(kFolder / (name + ".gguf"), access), file);
    }
  }
}

TEST(GgufGolden, SplitSetsAreAsThePackageReadsThem) {
  ASSERT_EQ(expected()["split"].size(), 2U);
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    expect_file(GgufFile(kFolder / "split" / "model-00001-of-00004.gguf", access), expected()["split"]["split"]);
    expect_file(GgufFile(kFolder / "no_tensor_first" / "model-00001-of-00003.gguf", access),
                expected()["split"]["no_tensor_first"]);
  }
}

TEST(GgufGolden, SaysItsVersion) {
  EXPECT_EQ(GgufFile(kFolder / "plain_tensors.gguf").version(), 3U);
  EXPECT_EQ(GgufFile(kFolder / "version_2.gguf").version(), 2U);
}

// Each type of the package but Q8_1, of which it has another size than ggml.
TEST(GgufGolden, EveryTypeIsThere) {
  const auto types = std::ranges::count(kGgmlTypes, false, &GgmlType::is_removed);
  const std::size_t in_files = expected()["files"]["block_types"]["tensors"].size() + 8;
  EXPECT_EQ(in_files, static_cast<std::size_t>(types) - 2);  // nor has it Q2_0
}

}  // namespace
}  // namespace trine
