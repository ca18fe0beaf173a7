// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/tokenizer.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"
#include "text/tiny_tokenizer.hpp"

namespace trine {
namespace {

using test::added_token;
using test::make_tokenizer;
using test::tiny_tokenizer;
using testing::ElementsAre;
using Ids = std::vector<TokenId>;

const std::filesystem::path kGoldens = std::filesystem::path(TRINE_TEST_DATA) / "tokenizer";

// Oracle: Hugging Face tokenizers; see made_by in cases.json.
TEST(Tokenizer, GivesTheIdsAndTextsOfHuggingFaceTokenizers) {
  const Json goldens = read_json_file(kGoldens / "cases.json");
  ASSERT_GT(goldens.at("cases").size(), 100U);
  for (const std::string name : {"shakespeare", "mixed"}) {
    const Tokenizer tokenizer = Tokenizer::load(kGoldens / name);
    for (const Json& golden : goldens.at("cases")) {
      const std::string text = golden.at("text");
      const Ids expected = golden.at("ids").at(name);
      EXPECT_EQ(tokenizer.encode(text, {.parse_special = true}), expected) << name << ": " << in_quotes(text);
      EXPECT_EQ(tokenizer.decode(expected, false), golden.at("decoded").at(name)) << name << ": " << in_quotes(text);
    }
  }
}

std::string random_bytes(std::uint64_t seed, std::size_t size) {
  std::string text;
  const CounterRandom random{seed};
  for (std::size_t i = 0; i < size; ++i)
    text += static_cast<char>(static_cast<unsigned char>(random.uniform(i) * 256.0));
  return text;
}

TEST(Tokenizer, DecodingAnEncodedTextGivesTheText) {
  const Tokenizer tokenizer = Tokenizer::load(kGoldens / "shakespeare");
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    std::string text;
    const CounterRandom random{seed};
    for (std::uint64_t i = 0; i < seed % 50; ++i) {
      const double range = i % 3 == 0 ? 0x80 : i % 3 == 1 ? 0x800 : 0x110000;
      const auto c = static_cast<char32_t>(random.uniform(i) * range);
      append_utf8(c >= 0xD800 && c <= 0xDFFF ? U'\n' : c, text);
    }
    for (const bool parse_special : {false, true}) {
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.parse_special = parse_special}), false), text)
          << "seed " << seed;
    }
  }
}

TEST(Tokenizer, AnyBytesSurviveAsBytes) {
  const Tokenizer tokenizer = Tokenizer::load(kGoldens / "shakespeare");
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const std::string text = random_bytes(seed, seed % 60);
    std::string bytes;
    for (const TokenId id : tokenizer.encode(text)) bytes += tokenizer.token_bytes(id);
    EXPECT_EQ(bytes, text) << "seed " << seed;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), to_valid_utf8(text)) << "seed " << seed;
  }
}

TEST(Tokenizer, LoadsADirectoryOrAFile) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory.write("tokenizer.json", tiny_tokenizer().dump());
  EXPECT_THAT(Tokenizer::load(directory.path()).encode("abc"), ElementsAre(257));
  EXPECT_THAT(Tokenizer::load(file).encode("abc"), ElementsAre(257));
  std::filesystem::remove(file);
  EXPECT_ERROR(Tokenizer::load(directory.path()), FileError, file.string());
  directory.write("tokenizer.json", "{}");
  EXPECT_ERROR(Tokenizer::load(directory.path()), TokenizerError,
               file.string() + ": model: expected a value, found none");
}

TEST(Tokenizer, KnowsItsTokens) {
  Json document = tiny_tokenizer();
  document["added_tokens"] =
      Json::array({added_token(300, "</s>", true), added_token(302, "<tool>"), added_token('a', "a")});
  const Tokenizer tokenizer = make_tokenizer(document);
  EXPECT_EQ(tokenizer.vocab_size(), 303U);
  EXPECT_EQ(tokenizer.id_of("abc"), 257U);
  EXPECT_EQ(tokenizer.id_of("</s>"), 300U);
  EXPECT_EQ(tokenizer.id_of("a"), TokenId{'a'});
  EXPECT_EQ(tokenizer.id_of("\xC4\xA0"), TokenId{' '});
  EXPECT_EQ(tokenizer.id_of(" "), std::nullopt);
  EXPECT_EQ(tokenizer.token_bytes(257), "abc");
  EXPECT_EQ(tokenizer.token_bytes(' '), " ");
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_FALSE(tokenizer.is_special(302));
  EXPECT_FALSE(tokenizer.is_special(257));
  EXPECT_FALSE(tokenizer.is_special(1000));
  EXPECT_TRUE(tokenizer.has_token(302));
  EXPECT_FALSE(tokenizer.has_token(301));
  EXPECT_FALSE(tokenizer.has_token(303));
  EXPECT_ERROR(tokenizer.token_bytes(301), InputError,
               "token id: expected one of the 303 of the vocabulary, found 301");
  EXPECT_ERROR(tokenizer.token_bytes(4294967295U), InputError, "found 4294967295");
  EXPECT_THAT(tokenizer.eos_token_ids(), ElementsAre(300));
}

TEST(Tokenizer, KnowsWhatTokenizerConfigNames) {
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "<s>", true), added_token(301, "<turn>", true)});
  const test::TemporaryDirectory directory;
  directory.write("tokenizer.json", document.dump());
  EXPECT_EQ(Tokenizer::load(directory.path()).config().bos_token, std::nullopt);
  EXPECT_EQ(Tokenizer::load(directory.path()).bos_token_id(), std::nullopt);
  const std::filesystem::path config = directory.write(
      "tokenizer_config.json",
      R"({"add_bos_token": true, "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false},
          "eos_token": "<turn>", "pad_token": "<none>", "unk_token": null, "chat_template": "{{ x }}"})");
  const Tokenizer tokenizer = Tokenizer::load(directory.path());
  EXPECT_EQ(tokenizer.config().bos_token, "<s>");
  EXPECT_EQ(tokenizer.config().pad_token, "<none>");
  EXPECT_EQ(tokenizer.config().unk_token, std::nullopt);
  EXPECT_EQ(tokenizer.bos_token_id(), 300U);
  EXPECT_EQ(tokenizer.eos_token_id(), 301U);
  EXPECT_EQ(tokenizer.pad_token_id(), std::nullopt);  // not in the vocabulary
  EXPECT_THAT(tokenizer.eos_token_ids(), ElementsAre(301));
  EXPECT_THAT(tokenizer.encode("a"), ElementsAre('a'));  // as transformers 5: the post_processor decides
  EXPECT_EQ(Tokenizer::load(directory.path() / "tokenizer.json").config().bos_token, std::nullopt);

  // The older file counts where tokenizer_config.json has no "added_tokens_decoder", as in transformers 5.
  const std::filesystem::path map = directory.write("special_tokens_map.json", R"({"bos_token": "<turn>"})");
  EXPECT_EQ(Tokenizer::load(directory.path()).bos_token_id(), 301U);
  EXPECT_EQ(Tokenizer::load(directory.path()).eos_token_id(), 301U);
  directory.write("tokenizer_config.json", R"({"bos_token": "<s>", "added_tokens_decoder": {}, "num_token": 3})");
  EXPECT_EQ(Tokenizer::load(directory.path()).bos_token_id(), 300U);
  std::filesystem::remove(map);

  directory.write("tokenizer_config.json", R"({"bos_token": 7})");
  EXPECT_ERROR(Tokenizer::load(directory.path()), TokenizerError,
               config.string() + ": bos_token: expected a JSON object, found 7");
  directory.write("tokenizer_config.json", R"({"bos_token": {"special": true}})");
  EXPECT_ERROR(Tokenizer::load(directory.path()), TokenizerError, "bos_token.content: expected a value, found none");
  directory.write("tokenizer_config.json", "[]");
  EXPECT_ERROR(Tokenizer::load(directory.path()), TokenizerError, "expected a JSON object, found a list");
  directory.write("tokenizer_config.json", "{");
  EXPECT_ERROR(Tokenizer::load(directory.path()), TokenizerError, "not valid JSON");
}

TEST(Tokenizer, AsksForAnEngineWhenAPatternNeedsOne) {
  Json document = tiny_tokenizer();
  const auto with_pattern = [&](const std::string& pattern) {
    document["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         Json::array(
             {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}},
              {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}})}};
    return document.dump();
  };
  EXPECT_ERROR(parse_hf_tokenizer_json(with_pattern("\\p{L}+"), "tokenizer.json"), TokenizerError,
               "pre_tokenizer.pretokenizers[0].pattern.Regex: no engine for regular expressions; link trine::pcre2");
  const Tokenizer gpt2(parse_hf_tokenizer_json(with_pattern(std::string(Gpt2Pattern::kText)), "tokenizer.json"));
  EXPECT_THAT(gpt2.encode("abc ab"), ElementsAre(257, ' ', 256));
}

TEST(Tokenizer, KeepsOrReplacesWhatIsNotUtf8) {
  const Tokenizer tokenizer = make_tokenizer(tiny_tokenizer());
  EXPECT_THAT(tokenizer.encode("a\xFF"), ElementsAre('a', 0xFF));
  EXPECT_THAT(tokenizer.encode("a\xFF", {.replace_invalid_utf8 = true}), ElementsAre('a', 0xEF, 0xBF, 0xBD));
}

TEST(Tokenizer, NormalizersCannotMakeATextLargeWithoutBounds) {
  Json document = tiny_tokenizer();
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  for (int i = 0; i < 20; ++i) {
    document["normalizer"]["normalizers"].push_back(
        {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaaaa"}});
  }
  EXPECT_ERROR(make_tokenizer(document).encode("aaaa"), TokenizerError,
               "normalizer: expected at most 4352 bytes, found");
  document["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(64, 'b')}};
  EXPECT_ERROR(make_tokenizer(document).encode(std::string(1000, 'a')), TokenizerError,
               "expected at most 16 bytes for each byte of a text");
}

TEST(Tokenizer, DecodesWhatThereIs) {
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "<s>", true), added_token(302, "<tool>")});
  const Tokenizer tokenizer = make_tokenizer(document);
  EXPECT_EQ(tokenizer.decode(Ids{300, 257, 302, 300}), "abc<tool>");
  EXPECT_EQ(tokenizer.decode(Ids{300, 257, 302, 300}, false), "<s>abc<tool><s>");
  EXPECT_EQ(tokenizer.decode(Ids{257, 301, 999999, 4294967295U}), "abc");  // rows of the model without a token
  EXPECT_EQ(tokenizer.decode(Ids{0xE2, 0x82}), "\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer.decode(Ids{}), "");
}

TEST(Tokenizer, TextOfStrangersHoldsNoControlTokens) {
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "<s>", true)});
  const Tokenizer tokenizer = make_tokenizer(document);
  EXPECT_THAT(tokenizer.encode("<s>"), ElementsAre('<', 's', '>'));
  EXPECT_THAT(tokenizer.encode("<s>", {.parse_special = true}), ElementsAre(300));
}

// The order of Hugging Face tokenizers: tokens that are not "normalized" first, then the others in what is left.
TEST(Tokenizer, LooksForNormalizedTokensInTheRest) {
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "bc"), added_token(301, "abcd"), added_token('a', "a")});
  document["added_tokens"][1]["normalized"] = true;
  document["added_tokens"][2]["normalized"] = true;
  EXPECT_THAT(make_tokenizer(document).encode("abcd"), ElementsAre('a', 300, 'd'));
}

TEST(Tokenizer, PrefixSpacesStandBeforeEachTextBetweenAddedTokens) {
  Json document = tiny_tokenizer();
  document["pre_tokenizer"]["add_prefix_space"] = true;
  document["added_tokens"] = Json::array({added_token(300, "<t>")});
  EXPECT_THAT(make_tokenizer(document).encode("x<t>y<t> z<t>"),
              ElementsAre(' ', 'x', 300, ' ', 'y', 300, ' ', 'z', 300));
}

TEST(Tokenizer, LongWordsTakeNoLongTime) {
  const Tokenizer tokenizer = make_tokenizer(tiny_tokenizer({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}, {" ", " "}}));
  const auto start = std::chrono::steady_clock::now();
  for (const char c : {'a', ' ', 'x', '\xFF', '\n'}) {
    const std::string text(1U << 20U, c);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), to_valid_utf8(text));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(TokenizerConcurrency, OneTokenizerServesManyThreads) {
  const Tokenizer tokenizer = Tokenizer::load(kGoldens / "mixed");
  const std::string text = "The quick brown <|user|> fox, 123 d\xC3\xA9j\xC3\xA0 vu!";
  const Ids expected = tokenizer.encode(text, {.parse_special = true});
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t, copy = tokenizer] {
      for (int i = 0; i < 200; ++i) {
        if (copy.encode(text, {.parse_special = true}) != expected || tokenizer.decode(expected).empty()) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(Tokenizer, FindsNoSpecialTokenInWhatAStrangerWrote) {
  const std::vector<ByteRange> untrusted = {{3, 6}};
  const Ids first_only = {300, '<', 's', '>'};
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "<s>", true)});
  for (const bool normalized : {false, true}) {
    document["added_tokens"][0]["normalized"] = normalized;
    const Tokenizer tokenizer = make_tokenizer(document);
    EXPECT_THAT(tokenizer.encode("<s><s>", {.parse_special = true}), ElementsAre(300, 300));
    EXPECT_EQ(tokenizer.encode("<s><s>", {.parse_special = true, .untrusted = untrusted}), first_only);
  }
  // A normalizer may move bytes: the marks hold for all that it has before it.
  document["normalizer"] = {{"type", "NFC"}};
  EXPECT_THAT(make_tokenizer(document).encode("<s><s>", {.parse_special = true, .untrusted = untrusted}),
              ElementsAre('<', 's', '>', '<', 's', '>'));
}

}  // namespace
}  // namespace trine
