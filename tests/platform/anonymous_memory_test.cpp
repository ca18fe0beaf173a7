// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/anonymous_memory.hpp>

#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include <gtest/gtest.h>

namespace trine {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;

TEST(AnonymousMemory, IsZeroedAndWritable) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{4097}, kHugePage - 1, 3 * kHugePage + 5}) {
    AnonymousMemory memory(size);
    ASSERT_EQ(memory.size(), size);
    EXPECT_EQ(memory.data()[0], std::byte{0});
    EXPECT_EQ(memory.data()[size - 1], std::byte{0});
    memory.data()[0] = std::byte{1};
    memory.data()[size - 1] = std::byte{2};
    EXPECT_EQ(std::as_const(memory).data()[size - 1], std::byte{2});
  }
}

TEST(AnonymousMemory, BeginsAtAHugePageWhereItIsLarge) {
  for (int repeat = 0; repeat < 3; ++repeat) {
    const AnonymousMemory odd(5000 * (static_cast<std::size_t>(repeat) + 1));  // moves what the system gives next
    const AnonymousMemory memory(kHugePage);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % kHugePage, 0U);
  }
}

TEST(AnonymousMemory, KeepsItsAddressWhenItMoves) {
  AnonymousMemory first(2 * kHugePage);
  const std::byte* address = first.data();
  first.data()[7] = std::byte{9};
  AnonymousMemory second(std::move(first));
  EXPECT_EQ(second.data(), address);
  AnonymousMemory third;
  EXPECT_EQ(third.size(), 0U);
  third = std::move(second);
  EXPECT_EQ(third.data(), address);
  EXPECT_EQ(third.data()[7], std::byte{9});
}

TEST(AnonymousMemory, RefusesWhatDoesNotFit) {
  for (const std::size_t size : {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 4})
    EXPECT_THROW(AnonymousMemory memory(size), std::bad_alloc) << size;
}

}  // namespace
}  // namespace trine
