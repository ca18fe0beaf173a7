// SPDX-License-Identifier: Apache-2.0
#include <trine/cache/page_table.hpp>

#include <thread>
#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

TEST(PageTable, AllocatesAPageWhenItIsFirstWritten) {
  PageTable pages(100);
  EXPECT_EQ(pages.bytes(), 0U);
  EXPECT_FALSE(pages.exists(0));
  EXPECT_EQ(pages.write(2)[99], std::byte{0});
  EXPECT_TRUE(pages.exists(2));
  EXPECT_FALSE(pages.exists(1));
  EXPECT_EQ(pages.bytes(), 100U);
  pages.write(2);
  EXPECT_EQ(pages.bytes(), 100U) << "once";
}

TEST(PageTable, NeverMovesAPageThatItOwns) {
  PageTable pages(64);
  const std::byte* address = pages.write(0);
  for (std::size_t page = 1; page < 300; ++page) pages.write(page);
  EXPECT_EQ(pages.write(0), address);
  EXPECT_EQ(pages.read(0), address);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(address) % 64, 0U);
}

TEST(PageTable, SharesPagesUntilOneIsWritten) {
  PageTable first(8);
  for (std::size_t page = 0; page < 3; ++page) first.write(page)[0] = static_cast<std::byte>(page);
  PageTable second = first;
  EXPECT_EQ(second.read(1), first.read(1));
  EXPECT_EQ(first.shared_bytes(), 24U);
  second.write(1)[0] = std::byte{77};
  EXPECT_EQ(first.read(1)[0], std::byte{1});
  EXPECT_EQ(second.read(1)[0], std::byte{77});
  EXPECT_EQ(first.shared_bytes(), 16U);
  const std::byte* own = first.read(1);
  first.write(1);
  EXPECT_EQ(first.read(1), own) << "alone again";
  second.write(5);
  EXPECT_FALSE(first.exists(5));
}

TEST(PageTable, GivesUpWhatIsTruncated) {
  PageTable first(8);
  for (std::size_t page = 0; page < 5; ++page) first.write(page)[0] = static_cast<std::byte>(page);
  PageTable second = first;
  second.truncate(2);
  EXPECT_EQ(second.bytes(), 16U);
  EXPECT_EQ(first.bytes(), 40U);
  EXPECT_EQ(first.shared_bytes(), 16U);
  EXPECT_EQ(second.write(3)[0], std::byte{0}) << "new";
  EXPECT_EQ(first.read(3)[0], std::byte{3});
}

TEST(PageTable, SharesAcrossThreadsConcurrency) {
  PageTable first(4096);
  for (std::size_t page = 0; page < 20; ++page) first.write(page)[1] = std::byte{1};
  std::vector<PageTable> tables(4, first);
  std::vector<std::thread> threads;
  for (PageTable& table : tables) {
    threads.emplace_back([&table] {
      for (std::size_t page = 0; page < 20; ++page) {
        EXPECT_EQ(table.read(page)[1], std::byte{1});
        table.write(page)[0] = std::byte{2};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first.read(7)[0], std::byte{0});
  for (const PageTable& table : tables) EXPECT_EQ(table.shared_bytes(), 0U);
}

}  // namespace
}  // namespace trine
