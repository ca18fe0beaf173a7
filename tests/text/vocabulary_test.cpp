// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/vocabulary.hpp>

#include <utility>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(Vocabulary, MapsTextsAndIdsOneToOne) {
  Vocabulary vocabulary;
  EXPECT_EQ(vocabulary.id_limit(), 0U);
  EXPECT_TRUE(vocabulary.insert("a", 5));
  EXPECT_TRUE(vocabulary.insert("b", 2));
  EXPECT_FALSE(vocabulary.insert("a", 6));
  EXPECT_FALSE(vocabulary.insert("c", 5));
  EXPECT_EQ(vocabulary.find("a"), 5U);
  EXPECT_EQ(vocabulary.find("c"), std::nullopt);
  EXPECT_EQ(vocabulary.text(2), "b");
  EXPECT_TRUE(vocabulary.contains(5));
  EXPECT_FALSE(vocabulary.contains(3));
  EXPECT_FALSE(vocabulary.contains(6));
  EXPECT_EQ(vocabulary.id_limit(), 6U);
  EXPECT_EQ(vocabulary.count(), 2U);
}

TEST(Vocabulary, KeepsItsTextsWhenMoved) {
  Vocabulary from;
  ASSERT_TRUE(from.insert("a", 0));
  const Vocabulary vocabulary = std::move(from);
  EXPECT_EQ(vocabulary.text(0), "a");
  EXPECT_EQ(vocabulary.find("a"), 0U);
}

}  // namespace
}  // namespace trine
