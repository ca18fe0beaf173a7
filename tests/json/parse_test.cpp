// SPDX-License-Identifier: Apache-2.0
#include <trine/json/parse.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

std::string nested(std::size_t depth, char open, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

TEST(ParseJson, ReadsEveryKindOfValue) {
  const Json json = parse_json(R"({"a": [1, -2, 3.5, true, null, "\u00e9\ud83d\ude00"], "b": {}})", "text");
  EXPECT_EQ(json["a"][0].get<int>(), 1);
  EXPECT_EQ(json["a"][1].get<int>(), -2);
  EXPECT_EQ(json["a"][2].get<double>(), 3.5);
  EXPECT_TRUE(json["a"][3].get<bool>());
  EXPECT_TRUE(json["a"][4].is_null());
  EXPECT_EQ(json["a"][5].get<std::string>(), "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_TRUE(json["b"].empty());
}

TEST(ParseJson, KeepsIntegersExact) {
  const Json json = parse_json("[18446744073709551615, -9223372036854775808, 9007199254740993]", "text");
  EXPECT_EQ(json[0].get<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(json[1].get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(json[2].get<std::uint64_t>(), 9007199254740993U);  // 2^53 + 1: not a double
}

TEST(ParseJson, AnIntegerBeyond64BitsIsNoInteger) {
  EXPECT_FALSE(parse_json("18446744073709551616", "text").is_number_integer());
}

TEST(ParseJson, AcceptsTheGreatestDepthAndRefusesOneMore) {
  EXPECT_NO_THROW(static_cast<void>(parse_json(nested(128, '[', ']'), "text")));
  EXPECT_ERROR(parse_json(nested(129, '[', ']'), "text"), ConfigError,
               "text: expected at most 128 nested levels, found more");
  std::string objects = "1";
  for (int i = 0; i < 129; ++i) objects = "{\"a\":" + objects + "}";
  EXPECT_ERROR(parse_json(objects, "text"), ConfigError, "expected at most 128 nested levels");
}

// The library underneath takes a NUL for the end of the text: what follows it would be neither read nor refused.
TEST(ParseJson, RefusesANulWhereverItStands) {
  EXPECT_ERROR(parse_json(std::string_view("{}\0", 3), "text"), ConfigError,
               R"(text: not valid JSON at byte 3, near '\x00')");
  EXPECT_ERROR(parse_json(std::string_view("{}\0{", 4), "text"), ConfigError, "not valid JSON at byte 3");
  EXPECT_ERROR(parse_json(std::string_view("\0{}", 3), "text"), ConfigError, "not valid JSON at byte 1");
  EXPECT_ERROR(parse_json(std::string_view("[\"a\0\"]", 6), "text"), ConfigError, "not valid JSON at byte 4");
  EXPECT_EQ(parse_json(R"(["\u0000"])", "text")[0].get<std::string>(), std::string(1, '\0'));
}

TEST(ParseJson, CountsOpenLevelsOnly) {
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[{}],";
  EXPECT_EQ(parse_json(wide + "0]", "text").size(), 1001U);
}

TEST(ParseJson, ALadderOfAMillionBracketsIsAnErrorAndNotAStackOverflow) {
  EXPECT_ERROR(parse_json(std::string(1000000, '['), "text"), ConfigError, "nested levels");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_ERROR(parse_json(objects, "text"), ConfigError, "nested levels");
}

TEST(ParseJson, RefusesAKeyThatAppearsTwice) {
  EXPECT_ERROR(parse_json(R"({"k": 1, "k": 1})", "text"), ConfigError, "text: key 'k' appears twice in one object");
  EXPECT_ERROR(parse_json(R"({"k": 1, "\u006b": 1})", "text"), ConfigError, "key 'k' appears twice");
  EXPECT_ERROR(parse_json(R"([{"a": {"k": 1, "b": {}, "k": 2}}])", "text"), ConfigError, "key 'k' appears twice");
}

TEST(ParseJson, AllowsTheSameKeyInDifferentObjects) {
  EXPECT_NO_THROW(static_cast<void>(parse_json(R"({"k": {"k": {"k": 1}}, "l": [{"k": 1}, {"k": 1}]})", "text")));
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text :
       {"",          " ",         "{",     "}",     "[1,]",   "{\"a\":1,}", "{a:1}",       "'a'",
        "[1 2]",     "01",        "+1",    ".5",    "1.",     "0x1",        "NaN",         "nan",
        "Infinity",  "-Infinity", "[NaN]", "1e999", "-1e999", "tru",        "True",        "// c\n1",
        "/* c */ 1", "1 2",       "{} {}", "\"a",   "\"\n\"", "\"\\x41\"",  "\"\\ud800\"", "\"\\udc00\""})
    EXPECT_ERROR(parse_json(text, "file.json"), ConfigError, "file.json: not valid JSON at byte ");
}

TEST(ParseJson, RefusesInvalidUtf8) {
  for (const char* bytes : {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_ERROR(parse_json("\"" + std::string(bytes) + "\"", "text"), ConfigError, "not valid JSON at byte");
    EXPECT_ERROR(parse_json("{\"" + std::string(bytes) + "\": 1}", "text"), ConfigError, "not valid JSON at byte");
  }
}

TEST(ParseJson, SaysWhere) {
  EXPECT_ERROR(parse_json("{\"a\": tree}", "text"), ConfigError, "text: not valid JSON at byte 9, near '\"a\": tre'");
}

TEST(ParseJson, ExplainsTheNumbersOfPython) {
  for (const char* value : {"NaN", "Infinity", "-Infinity"})
    EXPECT_ERROR(parse_json(std::string("{\"rope_theta\": ") + value + "}", "text"), ConfigError,
                 "; JSON has neither NaN nor Infinity");
}

TEST(ParseJson, EscapesHostileBytesInItsMessage) {
  EXPECT_ERROR(parse_json("[\"\x1b[2J\"]", "text"), ConfigError, "near '\"<U+001B>'");
  try {
    static_cast<void>(parse_json("\"" + std::string(1000000, 'x'), "text"));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_LT(std::string(error.what()).size(), 200U);
  }
}

TEST(ParseJson, ReadsAsManyKeysAsAVocabularyHasInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += "\"token" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  text.back() = '}';
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_json(text, "text").at("token199999").get<int>(), 199999);
  // A second at most, sanitizers included; minutes if keys were searched one by one.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ReadJsonFile, NamesTheFileInItsErrors) {
  const test::TemporaryDirectory directory;
  const auto path = directory.write("config.json", "{\"a\": }");
  EXPECT_ERROR(read_json_file(path), ConfigError, path.string() + ": not valid JSON at byte 7");
  EXPECT_ERROR(read_json_file(directory.path() / "missing.json"), FileError, "missing.json: cannot be opened");
  EXPECT_ERROR(read_json_file(directory.write("empty.json", "")), ConfigError, "empty.json: not valid JSON");
}

TEST(KeysInOrder, AreThoseOfTheText) {
  const auto* text = R"({"a": {"z": 1, "y": {"x": 2}, "b": 3}, "b": {"c": {"b": 1}, "a": 4}, "c": [{"d": 5}], "d": 6})";
  EXPECT_EQ(keys_in_order(text, "a"), (std::vector<std::string>{"z", "y", "b"}));
  EXPECT_EQ(keys_in_order(text, "b"), (std::vector<std::string>{"c", "a"}));
  for (const char* field : {"c", "d", "e", "y"}) EXPECT_TRUE(keys_in_order(text, field).empty()) << field;
}

TEST(ReadJsonFile, ReadsADocument) {
  const test::TemporaryDirectory directory;
  EXPECT_EQ(read_json_file(directory.write("a.json", "{\"a\": 3}\n")).at("a").get<int>(), 3);
}

}  // namespace
}  // namespace trine
