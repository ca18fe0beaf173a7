// SPDX-License-Identifier: Apache-2.0
// Files that the Python packages wrote (tests/oracle/make_safetensors_goldens.py), and what they read from them.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <trine/json/parse.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/safetensors.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(TRINE_TEST_DATA) / "safetensors";

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

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

void expect_tensors(const WeightSource& source, const Json& tensors) {
  EXPECT_EQ(source.names().size(), tensors.size());
  for (const auto& [name, tensor] : tensors.items()) {
    const StoredTensor* found = source.find(name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(upper(std::string(element_name(found->dtype))), tensor["dtype"].get<std::string>()) << name;
    EXPECT_EQ(found->shape, tensor["shape"].get<std::vector<std::size_t>>()) << name;
    EXPECT_EQ(hex(found->bytes), tensor["hex"].get<std::string>()) << name;
  }
}

TEST(SafetensorsGolden, SingleFilesAreAsThePackageReadsThem) {
  ASSERT_EQ(expected()["files"].size(), 3U);
  for (const FileAccess access : {FileAccess::map, FileAccess::read})
    for (const auto& [name, tensors] : expected()["files"].items())
      expect_tensors(Safetensors(kFolder / (name + ".safetensors"), access), tensors);
}

TEST(SafetensorsGolden, EveryElementTypeIsThere) {
  EXPECT_EQ(expected()["files"]["every_dtype"].size(), kDTypes.size());
}

TEST(SafetensorsGolden, ShardsAreAsThePackageReadsThem) {
  const auto source = open_weights(kFolder / "sharded");
  const Json& tensors = expected()["sharded"];
  expect_tensors(*source, tensors);
  for (const auto& [name, tensor] : tensors.items())
    EXPECT_EQ(source->source_name_of(name), (kFolder / "sharded" / tensor["file"].get<std::string>()).string()) << name;
}

TEST(SafetensorsGolden, OtherElementTypesAreRefusedByName) {
  for (const char* dtype : {"F4", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"}) {
    const std::string file = (kFolder / ("refused_" + std::string(dtype) + ".safetensors")).string();
    EXPECT_ERROR(Safetensors(file), ConfigError,
                 file + ": tensor 'coded': dtype: no kernel of trine reads elements of type " + dtype);
  }
}

}  // namespace
}  // namespace trine
