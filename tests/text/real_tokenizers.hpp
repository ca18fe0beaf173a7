// SPDX-License-Identifier: Apache-2.0
// Published tokenizers, and lines with the ids that Hugging Face tokenizers gives: tests/golden/tokenizer/README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/printable.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/detokenizer.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::test {

using Ids = std::vector<TokenId>;

inline const std::filesystem::path kReal = std::filesystem::path(TRINE_TEST_UNPACKED) / "tokenizers";

template <class Values>
std::string fnv1a(const Values& values, std::uint32_t mask) {
  std::uint32_t hash = 0x811C9DC5U;
  for (const auto value : values) hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x01000193U;
  std::ostringstream text;
  text << std::hex;
  text.fill('0');
  text.width(mask == 0xFFFF ? 4 : 8);
  text << (hash & mask);
  return text.str();
}

inline std::vector<std::string> lines() {
  const Json document = read_json_file(kReal / "lines.json");
  auto result = document.at("lines").get<std::vector<std::string>>();
  for (const std::string hex : document.at("not_utf8")) {
    std::string& bytes = result.emplace_back();
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoul(hex.substr(i, 2), nullptr, 16));
  }
  return result;
}

inline std::string as_text(const Ids& ids) {
  std::ostringstream text;
  for (const TokenId id : ids) text << " " << id;
  return text.str();
}

/// Compares all ids and texts with the goldens of a tokenizer. without: lines that contain it are not compared.
inline void expect_goldens(const Tokenizer& tokenizer, const std::string& name, std::string_view without = {}) {
  std::ifstream goldens(kReal / name / "golden.txt");
  std::size_t number = 0;
  for (const std::string& line : lines()) {
    SCOPED_TRACE("line " + std::to_string(number++) + ": " + in_quotes(line));
    std::string row;
    ASSERT_TRUE(std::getline(goldens, row));
    if (!without.empty() && line.find(without) != std::string::npos) continue;
    std::istringstream fields(row);
    std::string plain_hash, parsed_hash, text_hash, expected_ids;
    fields >> plain_hash >> parsed_hash >> text_hash;
    std::getline(fields, expected_ids);

    const Ids plain = tokenizer.encode(line, {.replace_invalid_utf8 = true});
    const Ids parsed = tokenizer.encode(line, {.parse_special = true, .replace_invalid_utf8 = true});
    if (!expected_ids.empty()) {
      ASSERT_EQ(as_text(plain), expected_ids);
    }
    ASSERT_EQ(fnv1a(plain, UINT32_MAX), plain_hash) << "ids, special tokens not parsed:" << as_text(plain);
    ASSERT_EQ(fnv1a(parsed, UINT32_MAX), parsed_hash == "=" ? plain_hash : parsed_hash)
        << "ids, special tokens parsed:" << as_text(parsed);

    const std::string text = tokenizer.decode(parsed, false);
    if (text_hash == "=") {
      ASSERT_EQ(text, to_valid_utf8(line));
    } else {
      const std::vector<std::uint8_t> bytes(text.begin(), text.end());
      ASSERT_EQ(fnv1a(bytes, 0xFFFF), text_hash) << "text " << in_quotes(text);
    }
    Detokenizer stream(tokenizer, false);
    std::string streamed;
    for (const TokenId id : parsed) {
      const std::string part = stream.push(id);
      ASSERT_TRUE(is_valid_utf8(part));
      streamed += part;
    }
    ASSERT_EQ(streamed + stream.flush(), text);
  }
  EXPECT_GT(number, 10000U);
}

}  // namespace trine::test
