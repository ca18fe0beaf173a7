// SPDX-License-Identifier: Apache-2.0
// Oracle: Hugging Face tokenizers, with one component of tokenizer.json after the other; see made_by in the goldens.
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/printable.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/detokenizer.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/text/unicode/unicode_normalization.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine {
namespace {

using Ids = std::vector<TokenId>;

const std::filesystem::path kGoldens = std::filesystem::path(TRINE_TEST_DATA) / "tokenizer";

Json patched(const Json& base, const Json& patch) {
  Json document = base;
  for (const auto& [key, value] : patch.items()) {
    if (key == "model") {
      document[key].update(value);
    } else if (key == "added_tokens") {
      document[key].insert(document[key].end(), value.begin(), value.end());
    } else {
      document[key] = value;
    }
  }
  return document;
}

// `golden`: [patch of a tokenizer.json, [[ids, text, text without special tokens], ...]]; the first results are those
// of `texts`, the others of ids that no text gives. A text is null where the reference has none.
void expect_golden(const Json& document, const Json& results, const std::vector<std::string>& texts) {
  const Tokenizer tokenizer(parse_hf_tokenizer_json(document.dump(), "tokenizer.json", pcre2_regex));
  std::size_t i = 0;
  for (const Json& result : results) {
    const Ids ids = result.at(0);
    const bool is_text = i < texts.size();
    SCOPED_TRACE(is_text ? in_quotes(texts[i]) : result.at(0).dump());
    if (is_text) {
      EXPECT_EQ(tokenizer.encode(texts[i], {.parse_special = true}), ids);
    }
    if (!result.at(1).is_null()) {
      EXPECT_EQ(tokenizer.decode(ids, false), result.at(1).get<std::string>());
    }
    if (!result.at(2).is_null()) {
      EXPECT_EQ(tokenizer.decode(ids), result.at(2).get<std::string>());
    }
    Detokenizer stream(tokenizer);
    std::string streamed;
    for (const TokenId id : ids) {
      const std::string part = stream.push(id);
      EXPECT_TRUE(is_valid_utf8(part));
      streamed += part;
    }
    streamed += stream.flush();
    if (is_text && !result.at(2).is_null()) {
      EXPECT_EQ(streamed, result.at(2).get<std::string>());
    }
    ++i;
  }
}

TEST(Components, GiveTheIdsAndTextsOfHuggingFaceTokenizers) {
  const Json goldens = read_json_file(kGoldens / "components.json");
  ASSERT_GT(goldens.at("cases").size(), 50U);
  for (const Json& golden : goldens.at("cases")) {
    SCOPED_TRACE(golden.at(0).dump());
    expect_golden(patched(goldens.at("tokenizer"), golden.at(0)), golden.at(1), goldens.at("texts"));
  }
}

// Vocabularies without all bytes, decoders in other orders, steps behind "ByteLevel", entries without meaning.
TEST(Variants, GiveTheIdsAndTextsOfHuggingFaceTokenizers) {
  const Json goldens = read_json_file(kGoldens / "variants.json");
  ASSERT_GT(goldens.at("cases").size(), 50U);
  for (const Json& golden : goldens.at("cases")) {
    SCOPED_TRACE(golden.at(0).get<std::string>() + " " + golden.at(1).dump().substr(0, 300));
    Json document = goldens.at("tokenizers").at(golden.at(0).get<std::string>());
    for (const auto& [key, value] : golden.at(1).items()) {
      if (key == "model") {
        document[key].update(value);
      } else {
        document[key] = value;
      }
    }
    EXPECT_NO_THROW(expect_golden(document, golden.at(2), goldens.at("texts")));
  }
}

const std::map<std::string, NormalizationForm> kForms = {{"nfc", NormalizationForm::nfc},
                                                         {"nfd", NormalizationForm::nfd},
                                                         {"nfkc", NormalizationForm::nfkc},
                                                         {"nfkd", NormalizationForm::nfkd}};

TEST(UnicodeNormalizer, OrdersAndJoinsMarksAsHuggingFaceTokenizersDoes) {
  const Json goldens = read_json_file(kGoldens / "normalization.json");
  for (const Json& row : goldens.at("strings")) {
    const auto strings = row.get<std::vector<std::string>>();
    for (const auto form :
         {NormalizationForm::nfc, NormalizationForm::nfd, NormalizationForm::nfkc, NormalizationForm::nfkd}) {
      EXPECT_EQ(UnicodeNormalizer(form).apply(strings[0]), strings[1 + static_cast<std::size_t>(form)])
          << in_quotes(strings[0]);
    }
  }
}

TEST(UnicodeNormalizer, KnowsEveryCodePoint) {
  const Json goldens = read_json_file(kGoldens / "normalization.json");
  for (const auto& [name, blocks] : goldens.at("characters").items()) {
    const UnicodeNormalizer normalizer(kForms.at(name));
    for (const auto& [block, expected] : blocks.items()) {
      const auto first = static_cast<char32_t>(std::stoul(block, nullptr, 16) << 12U);
      std::uint64_t hash = 0xCBF29CE484222325U;
      for (char32_t c = first; c < first + 4096; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        append_utf8(c, text);
        for (const char byte : normalizer.apply(text))
          hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
      }
      std::array<char, 32> found{};
      std::snprintf(found.data(), found.size(), "%016llx", static_cast<unsigned long long>(hash));
      EXPECT_EQ(found.data(), expected.get<std::string>()) << name << ", U+" << block << "000";
    }
  }
}

TEST(UnicodeNormalizer, LeavesBytesThatAreNotUtf8) {
  const UnicodeNormalizer nfc(NormalizationForm::nfc);
  EXPECT_EQ(nfc.apply("e\xCC\x81\xFF\xCC\x81"), "\xC3\xA9\xFF\xCC\x81");
  EXPECT_EQ(nfc.apply("\xE2\x82"), "\xE2\x82");
  EXPECT_EQ(nfc.apply(""), "");
}

TEST(UnicodeNormalizer, ManyMarksTakeNoLongTime) {
  std::string text = "a";
  for (int i = 0; i < 300000; ++i) text += i % 2 == 0 ? "\xCC\x81" : "\xCC\xA3";
  const std::string ordered = UnicodeNormalizer(NormalizationForm::nfd).apply(text);
  EXPECT_EQ(ordered.size(), text.size());
  EXPECT_EQ(ordered.substr(0, 5), "a\xCC\xA3\xCC\xA3");
}

}  // namespace
}  // namespace trine
