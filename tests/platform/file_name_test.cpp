// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/file_name.hpp>

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(PlainFileName, IsAnythingOfOneFolder) {
  for (const std::string_view name : {"a", "model-00001-of-00002.safetensors", "a..b", "a b", "na\xc3\xafve", "a~"})
    EXPECT_TRUE(is_plain_file_name(name)) << name;
  EXPECT_TRUE(is_plain_file_name(std::string(255, 'a')));
}

TEST(PlainFileName, LeadsNowhereElse) {
  for (const std::string_view name :
       {"", ".", "..", ".hidden", "/", "/etc/passwd", "../a", "a/", "a/b", "a\\b", "C:a", "a\n", "a\x7f", "\x1b[31m"})
    EXPECT_FALSE(is_plain_file_name(name)) << name;
  EXPECT_FALSE(is_plain_file_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_plain_file_name(std::string(256, 'a')));
}

}  // namespace
}  // namespace trine
