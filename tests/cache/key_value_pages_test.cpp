// SPDX-License-Identifier: Apache-2.0
#include <trine/cache/key_value_pages.hpp>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(KeyValuePages, AllocatesAPageWhenItIsFirstRequired) {
  KeyValuePages pages(4, 3);
  EXPECT_EQ(pages.bytes(), 0U);
  pages.require(2);
  EXPECT_EQ(pages.bytes(), KeyValuePages::page_bytes(4, 3));
  EXPECT_EQ(pages.bytes(), 2U * 4 * 3 * sizeof(float));
  pages.require(2);
  EXPECT_EQ(pages.bytes(), KeyValuePages::page_bytes(4, 3)) << "once";
  pages.require(0);
  EXPECT_EQ(pages.bytes(), 2 * KeyValuePages::page_bytes(4, 3));
}

TEST(KeyValuePages, NeverMovesAPage) {
  KeyValuePages pages(2, 5);
  pages.require(0);
  const float* const key = pages.key(0, 1);
  *pages.key(0, 1) = 7.0F;
  for (std::size_t page = 1; page < 200; ++page) pages.require(page);
  EXPECT_EQ(pages.key(0, 1), key);
  EXPECT_EQ(*pages.key(0, 1), 7.0F);
}

TEST(KeyValuePages, KeepsKeysAndValuesOfAllRowsApart) {
  KeyValuePages pages(3, 2);
  for (std::size_t page = 0; page < 2; ++page) {
    pages.require(page);
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t i = 0; i < 2; ++i) {
        pages.key(page, row)[i] = static_cast<float>(100 * page + 10 * row + i);
        pages.value(page, row)[i] = -static_cast<float>(100 * page + 10 * row + i);
      }
    }
  }
  for (std::size_t page = 0; page < 2; ++page) {
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(pages.key(page, row)[i], static_cast<float>(100 * page + 10 * row + i));
        EXPECT_EQ(pages.value(page, row)[i], -static_cast<float>(100 * page + 10 * row + i));
      }
    }
  }
}

}  // namespace
}  // namespace trine
