// SPDX-License-Identifier: Apache-2.0
#include <trine/cache/latent_cache.hpp>

#include <gmock/gmock.h>

namespace trine {
namespace {

constexpr std::size_t kPage = LatentCache::kPageRows;

TEST(LatentCache, AllocatesPagesWhenTheyAreFirstWritten) {
  LatentCache cache(5);
  EXPECT_EQ(cache.bytes(), 0U);
  for (std::size_t position = 0; position < 3 * kPage; ++position) {
    ASSERT_EQ(cache.row(position).size(), 5U);
    ASSERT_EQ(cache.bytes(), LatentCache::bytes(position + 1, 5)) << position;
  }
  EXPECT_EQ(cache.bytes(), 3 * kPage * 5 * sizeof(float));
  EXPECT_EQ(LatentCache::bytes(0, 5), 0U);
}

TEST(LatentCache, CountsOnlyThePagesThatExist) {
  LatentCache cache(2);
  cache.row(7 * kPage + 3)[0] = 1.0F;
  EXPECT_EQ(cache.bytes(), kPage * 2 * sizeof(float));
}

TEST(LatentCache, KeepsRowsWhereTheyAre) {
  LatentCache cache(3);
  float* first = cache.row(kPage + 1).data();
  first[2] = 4.0F;
  for (std::size_t page = 2; page < 100; ++page) static_cast<void>(cache.row(page * kPage));
  EXPECT_EQ(cache.row(kPage + 1).data(), first);
  EXPECT_EQ(cache.page(1)[1 * 3 + 2], 4.0F);
}

}  // namespace
}  // namespace trine
