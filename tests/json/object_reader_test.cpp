// SPDX-License-Identifier: Apache-2.0
#include <trine/json/object_reader.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

const Json kDocument = parse_json(R"({
  "zero": 0, "seven": 7, "minus": -3, "largest": 18446744073709551615, "beyond": 18446744073709551616,
  "half": 0.5, "whole": 2.0, "tiny": 1e-6, "yes": true, "no": false, "text": "softmax", "null": null,
  "list": [1, 2], "inner": {"k": 2, "deep": {"x": 1}}, "esc": "a\nb" })",
                                  "document");

ObjectReader reader() { return {kDocument, "config.json"}; }

TEST(ObjectReader, RefusesWhatIsNoObject) {
  const Json list = Json::array();
  EXPECT_ERROR(ObjectReader(list, "config.json"), ConfigError, "config.json: expected a JSON object, found a list");
  EXPECT_ERROR(ObjectReader(Json(3), "config.json", "moe"), ConfigError,
               "config.json: moe: expected a JSON object, found 3");
}

TEST(ObjectReader, HasWhatIsThereAndNotNull) {
  auto object = reader();
  EXPECT_TRUE(object.has("zero"));
  EXPECT_FALSE(object.has("null"));
  EXPECT_FALSE(object.has("absent"));
}

TEST(ObjectReader, ReadsIntegersInTheirRange) {
  auto object = reader();
  EXPECT_EQ(object.integer("zero", 0, 0), 0U);
  EXPECT_EQ(object.integer("seven", 7, 7), 7U);
  EXPECT_EQ(object.integer("largest", 0, kMax), kMax);
}

TEST(ObjectReader, RefusesIntegersOutOfRangeOrOfAnotherKind) {
  auto object = reader();
  EXPECT_ERROR(object.integer("seven", 8, 9), ConfigError,
               "config.json: seven: expected an integer from 8 to 9, found 7");
  EXPECT_ERROR(object.integer("seven", 1, 6), ConfigError, "found 7");
  EXPECT_ERROR(object.integer("minus", 0, kMax), ConfigError, "found -3");
  EXPECT_ERROR(object.integer("beyond", 0, kMax), ConfigError, "found 1.84467440737095");
  EXPECT_ERROR(object.integer("half", 0, 9), ConfigError, "found 0.5");
  EXPECT_ERROR(object.integer("whole", 0, 9), ConfigError, "found 2.0");
  EXPECT_ERROR(object.integer("yes", 0, 9), ConfigError, "found true");
  EXPECT_ERROR(object.integer("text", 0, 9), ConfigError, "found 'softmax'");
  EXPECT_ERROR(object.integer("list", 0, 9), ConfigError, "found a list");
  EXPECT_ERROR(object.integer("inner", 0, 9), ConfigError, "found an object");
}

TEST(ObjectReader, ReadsNumbersInTheirRange) {
  auto object = reader();
  EXPECT_EQ(object.number("half", 0.5, 0.5), 0.5);
  EXPECT_EQ(object.number("seven", 0, 10), 7.0);
  EXPECT_EQ(object.number("minus", -3, 0), -3.0);
  EXPECT_EQ(object.number("tiny", 0, 1), 1e-6);
}

TEST(ObjectReader, RefusesNumbersOutOfRangeOrOfAnotherKind) {
  auto object = reader();
  EXPECT_ERROR(object.number("half", 1, 2), ConfigError, "half: expected a number from 1.0 to 2.0, found 0.5");
  EXPECT_ERROR(object.number("half", 0, 0.25), ConfigError, "found 0.5");
  EXPECT_ERROR(object.number("text", 0, 1), ConfigError, "found 'softmax'");
  EXPECT_ERROR(object.number("no", 0, 1), ConfigError, "found false");
}

TEST(ObjectReader, ReadsBooleansAndNothingLikeThem) {
  auto object = reader();
  EXPECT_TRUE(object.boolean("yes"));
  EXPECT_FALSE(object.boolean("no"));
  EXPECT_ERROR(object.boolean("zero"), ConfigError, "zero: expected true or false, found 0");
}

TEST(ObjectReader, ReadsStringsAndEscapesThemInErrors) {
  auto object = reader();
  EXPECT_EQ(object.string("text"), "softmax");
  EXPECT_ERROR(object.string("zero"), ConfigError, "zero: expected a string, found 0");
  EXPECT_ERROR(object.boolean("esc"), ConfigError, "found 'a\\x0ab'");
}

TEST(ObjectReader, ReadsOneOfTheNamedValues) {
  auto object = reader();
  EXPECT_EQ((object.choice<int>("text", {{"sigmoid", 1}, {"softmax", 2}})), 2);
  EXPECT_ERROR((object.choice<int>("text", {{"sigmoid", 1}, {"none", 2}})), ConfigError,
               "text: expected one of \"sigmoid\", \"none\", found 'softmax'");
  EXPECT_ERROR((object.choice<int>("zero", {{"sigmoid", 1}})), ConfigError, "found 0");
}

TEST(ObjectReader, TakesTheAlternativeForWhatIsAbsentOrNullOnly) {
  auto object = reader();
  EXPECT_EQ(object.integer_or("absent", 0, 9, 4), 4U);
  EXPECT_EQ(object.integer_or("null", 0, 9, 4), 4U);
  EXPECT_EQ(object.integer_or("seven", 0, 9, 4), 7U);
  EXPECT_ERROR(object.integer_or("text", 0, 9, 4), ConfigError, "found 'softmax'");
  EXPECT_EQ(object.number_or("absent", 0, 9, 0.25), 0.25);
  EXPECT_EQ(object.number_or("half", 0, 9, 0.25), 0.5);
  EXPECT_TRUE(object.boolean_or("absent", true));
  EXPECT_FALSE(object.boolean_or("no", true));
}

TEST(ObjectReader, NamesWhatIsMissing) {
  auto object = reader();
  EXPECT_ERROR(object.integer("absent", 0, 9), ConfigError, "config.json: absent: expected a value, found none");
  EXPECT_ERROR(object.object("absent"), ConfigError, "config.json: absent: expected a value, found none");
  EXPECT_ERROR(object.string("null"), ConfigError, "config.json: null: expected a value, found none");
}

TEST(ObjectReader, NamesThePathToAnInnerObject) {
  auto object = reader();
  auto deep = object.object("inner").object("deep");
  EXPECT_ERROR(deep.integer("x", 2, 3), ConfigError,
               "config.json: inner.deep.x: expected an integer from 2 to 3, found 1");
  EXPECT_ERROR(object.object("list"), ConfigError, "config.json: list: expected a JSON object, found a list");
}

TEST(ObjectReader, FinishAcceptsWhenEveryKeyWasAskedFor) {
  const Json json = parse_json(R"({"a": 1, "b": 2})", "text");
  ObjectReader object(json, "text");
  static_cast<void>(object.integer("a", 0, 9));
  static_cast<void>(object.has("b"));
  static_cast<void>(object.has("c"));
  EXPECT_NO_THROW(object.reject_unknown_keys());
}

TEST(ObjectReader, FinishNamesTheUnknownKeyAndTheNearestKnownOne) {
  const Json json = parse_json(R"({"hidden_size": 1, "hiden_size": 2})", "text");
  ObjectReader root(json, "config.json");
  static_cast<void>(root.integer("hidden_size", 0, 9));
  static_cast<void>(root.has("vocab_size"));
  EXPECT_ERROR(root.reject_unknown_keys(), ConfigError,
               "config.json: unknown key 'hiden_size'; the nearest known key is 'hidden_size'");
  ObjectReader inner(json, "config.json", "moe");
  EXPECT_ERROR(inner.reject_unknown_keys(), ConfigError, "config.json: moe: unknown key 'hidden_size'");
}

TEST(ObjectReader, TakesWhatIsAbsentFromTheDefaults) {
  const Json json = parse_json(R"({"k": 5, "none": null})", "text");
  ObjectReader object(json, "config.json", "moe", Json::parse(R"({"k": 1, "n": 8, "none": 2, "unset": null})"));
  EXPECT_EQ(object.integer("k", 0, 9), 5U);
  EXPECT_EQ(object.integer("n", 0, 9), 8U);
  EXPECT_FALSE(object.has("none")) << "null is a value";
  EXPECT_FALSE(object.has("unset"));
  EXPECT_FALSE(object.is_given("n"));
  EXPECT_EQ(object.default_of("k"), 1);
  EXPECT_TRUE(object.default_of("x").is_null());
  EXPECT_ERROR(object.integer("n", 0, 4), ConfigError,
               "config.json: moe.n: expected an integer from 0 to 4, found none, which means 8");
  EXPECT_ERROR(object.integer("none", 0, 4), ConfigError, "config.json: moe.none: expected a value, found none");
  EXPECT_NO_THROW(object.reject_unknown_keys());
}

TEST(ObjectReader, NotesWhatAsksForNothingIsIgnoredOrAllowed) {
  const Json json = parse_json(
      R"({"a": null, "b": false, "c": 0, "d": 0.0, "e": "", "f": [], "g": {}, "attn_pdrop": 0.1, "fork": true})",
      "text");
  constexpr std::array<IgnoredNames, 1> kIgnored{{{"*_pdrop", "of training"}}};
  const ObjectReader object(json, "config.json", "moe");
  Notes strict;
  EXPECT_ERROR(object.reject_unknown_keys(strict, kIgnored), ConfigError,
               "config.json: moe: unknown key 'fork'; allow_unknown (--allow-unknown moe.fork) ignores it");
  Notes notes({"moe.f*"});
  object.reject_unknown_keys(notes, kIgnored);
  EXPECT_EQ(notes.all().size(), 9U);
  EXPECT_THAT(notes.all(), testing::Contains(Note{"moe.attn_pdrop", "of training"}));
  EXPECT_THAT(notes.all(), testing::Contains(Note{"moe.d", "unknown, and asks for nothing"}));
  EXPECT_THAT(notes.all(), testing::Contains(Note{"moe.f*", "unknown, and ignored because the caller allows it"}));
}

TEST(ObjectReader, EscapesAHostileKey) {
  const Json json = parse_json(R"({"\u001b[2J": 1})", "text");
  const ObjectReader object(json, "text");
  EXPECT_ERROR(object.reject_unknown_keys(), ConfigError, "unknown key '\\x1b[2J'");
}

TEST(ObjectReader, EscapesAHostileKeyOnThePath) {
  const Json document = Json::parse(R"({"\u001b[31m": {"k": "x"}, "\n": 1})");
  ObjectReader reader(document, "config.json");
  EXPECT_ERROR(reader.object("\x1b[31m").integer("k", 1, 2), ConfigError, R"(config.json: \x1b[31m.k: expected)");
  EXPECT_ERROR(reader.string("\n"), ConfigError, R"(config.json: \x0a: expected a string, found 1)");
}

TEST(ObjectReader, FailsWithAProblemOfTheCaller) {
  const auto object = reader();
  EXPECT_ERROR(object.fail("k", "must divide num_heads"), ConfigError, "config.json: k: must divide num_heads");
}

}  // namespace
}  // namespace trine
