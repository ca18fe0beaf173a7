// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/chunking.hpp>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(Chunking, IsReadFromText) {
  EXPECT_FALSE(parse_chunking("full").has_value());
  const Chunking plain = parse_chunking("chunked:1024").value();
  EXPECT_EQ(plain.size, 1024U);
  EXPECT_EQ(plain.overlap, 0U);
  EXPECT_EQ(parse_chunking("chunked:64:64")->overlap, 64U);
  for (const char* bad : {"", "chunked", "chunked:", "chunked:0", "chunked:-1", "chunked:8:9",
                          "chunked:8:", "chunked:8 ", "chunked:8:1:1", "chunked:99999999999999999999", "sliding:8"}) {
    EXPECT_ERROR(parse_chunking(bad), InputError,
                 "attention: expected full, chunked:SIZE or chunked:SIZE:OVERLAP with OVERLAP at most SIZE, found");
  }
}

TEST(Chunking, SaysWhatAPositionSeesFirst) {
  const Chunking chunking{8, 3};
  EXPECT_EQ(chunking.first(0), 0U);
  EXPECT_EQ(chunking.first(7), 0U);
  EXPECT_EQ(chunking.first(8), 5U);
  EXPECT_EQ(chunking.first(15), 5U);
  EXPECT_EQ(chunking.left(8), 8U);
  EXPECT_EQ(chunking.left(15), 1U);
}

}  // namespace
}  // namespace trine
