// SPDX-License-Identifier: Apache-2.0
// The definition of parse_hf_tokenizer_json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/byte_level.hpp>
#include <trine/text/tokenizer/character_bpe.hpp>
#include <trine/text/tokenizer/decoder.hpp>
#include <trine/text/tokenizer/hf_components.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/tokenizer_parts.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// Walks one tokenizer.json. Errors are ConfigError here, "file: field: expected ..., found ...".
class HfTokenizerReader {
 public:
  HfTokenizerReader(const Json& document, std::string source_name, const RegexCompiler& compile)
      : document_(document), source_name_(std::move(source_name)), steps_(source_name_, compile, parts_) {}

  [[nodiscard]] TokenizerParts read() {
    ObjectReader root(document_, source_name_);
    if (root.has("version")) static_cast<void>(root.choice<int>("version", {{"1.0", 1}}));
    static_cast<void>(root.has("truncation"));
    static_cast<void>(root.has("padding"));
    const Json& model = root.at("model");
    const Json* added_tokens = root.has("added_tokens") ? &root.at("added_tokens") : nullptr;
    if (root.has("normalizer")) steps_.read_normalizer(root.at("normalizer"));
    if (root.has("pre_tokenizer")) steps_.read_pre_tokenizer(root.at("pre_tokenizer"));
    if (root.has("decoder")) {
      steps_.read_decoder(root.at("decoder"));
    } else {
      parts_.decoder = std::make_unique<PlainDecoder>();
    }
    read_model(model, added_tokens != nullptr ? added_tokens->size() : 0);
    if (added_tokens != nullptr) read_added_tokens(*added_tokens);
    if (root.has("post_processor")) read_post_processor(root.at("post_processor"), "post_processor");
    root.reject_unknown_keys();
    return std::move(parts_);
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& problem,
                         ErrorKind kind = ErrorKind::damaged) const {
    throw ConfigError(source_name_ + ": " + field + ": " + problem, {kind, source_name_, field});
  }
  [[nodiscard]] static std::string element(const std::string& list, std::size_t index) {
    return list + "[" + std::to_string(index) + "]";
  }
  [[nodiscard]] const Json& list(ObjectReader& reader, std::string_view key) const {
    const Json& value = reader.at(key);
    if (!value.is_array()) reader.fail(key, "a list", value);
    return value;
  }

  // ---- model

  void read_model(const Json& json, std::size_t added_tokens) {
    ObjectReader model(json, source_name_, "model");
    if (model.has("type")) static_cast<void>(model.choice<int>("type", {{"BPE", 0}}));  // files of 2019 have no type
    if (model.has("dropout")) static_cast<void>(model.number("dropout", 0.0, 0.0));
    require_empty(model, "continuing_subword_prefix");
    require_empty(model, "end_of_word_suffix");
    CharacterBpe::Options options;
    options.byte_fallback = model.boolean_or("byte_fallback", false);
    options.fuse_unknown = model.boolean_or("fuse_unk", false);
    options.ignore_merges = model.boolean_or("ignore_merges", false);
    const std::shared_ptr<const Vocabulary> vocabulary = read_vocabulary(model, added_tokens);
    const bool has_all_bytes = steps_.model_sees_bytes() && has_byte_alphabet(*vocabulary);
    if (model.has("unk_token") && !has_all_bytes) {  // otherwise nothing is unknown, and some files name one in vain
      options.unknown = vocabulary->find(model.string("unk_token"));
      if (!options.unknown) model.fail("unk_token", "a token of the vocabulary", model.at("unk_token"));
    }
    MergeTable merges(read_merges(model, *vocabulary));
    model.reject_unknown_keys();
    parts_.vocabulary = vocabulary;
    // The bytes of the characters that stand for missing bytes fall back in turn.
    if (options.byte_fallback && !has_all_bytes) steps_.write_alphabet();
    if (steps_.model_sees_bytes()) {
      parts_.model = std::make_unique<ByteLevelBpe>(
          vocabulary, std::move(merges),
          ByteLevelBpe::Options{options.unknown, options.fuse_unknown, options.ignore_merges});
    } else {
      parts_.model = std::make_unique<CharacterBpe>(vocabulary, std::move(merges), options);
    }
  }

  [[nodiscard]] static bool has_byte_alphabet(const Vocabulary& vocabulary) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (!vocabulary.find(to_byte_characters(std::string(1, static_cast<char>(byte))))) return false;
    }
    return true;
  }

  static void require_empty(ObjectReader& reader, std::string_view key) {
    if (reader.has(key) && !reader.string(key).empty())
      reader.fail(key, "null or \"\", all that is supported", reader.at(key), ErrorKind::unsupported);
  }

  [[nodiscard]] std::shared_ptr<const Vocabulary> read_vocabulary(ObjectReader& model, std::size_t added_tokens) {
    const Json& json = model.at("vocab");
    if (!json.is_object() || json.empty()) model.fail("vocab", "an object with at least one token", json);
    // Tables are indexed by id, so ids may have gaps, but memory has to follow the size of the file.
    constexpr std::uint64_t kSomeGap = 65536;
    id_limit_ = (std::uint64_t{json.size()} + added_tokens) * 4 + kSomeGap;
    auto vocabulary = std::make_shared<Vocabulary>();
    for (auto item = json.begin(); item != json.end(); ++item) {
      const TokenId id = token_id(item.value(), [&] { return "model.vocab[" + in_quotes(item.key()) + "]"; });
      if (vocabulary->insert(item.key(), id)) continue;
      fail("model.vocab[" + in_quotes(item.key()) + "]",
           "expected an id of its own, found " + std::to_string(id) + ", which is " + in_quotes(vocabulary->text(id)));
    }
    return vocabulary;
  }

  template <class Field>
  [[nodiscard]] TokenId token_id(const Json& json, const Field& field) const {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() >= id_limit_) {
      fail(field(), "expected an integer from 0 to " + std::to_string(id_limit_ - 1) + ", found " + describe(json));
    }
    return json.get<TokenId>();
  }

  [[nodiscard]] static std::string describe(const Json& json) {
    if (json.is_string()) return in_quotes(json.get_ref<const std::string&>());
    if (json.is_array()) return "a list of " + std::to_string(json.size());
    return json.is_object() ? "an object" : json.dump();
  }

  [[nodiscard]] std::vector<Merge> read_merges(ObjectReader& model, const Vocabulary& vocabulary) const {
    const Json& json = list(model, "merges");
    std::vector<Merge> merges;
    merges.reserve(json.size());
    std::vector<std::pair<std::uint64_t, std::size_t>> pairs;  // left << 32 | right, and where
    std::string merged;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const auto [left_text, right_text] = merge_pair(json[i], i);
      const auto left = vocabulary.find(left_text);
      const auto right = vocabulary.find(right_text);
      if (!left || !right) {
        fail(element("model.merges", i), "expected two tokens of the vocabulary, found " +
                                             in_quotes(std::string(left_text) + " " + std::string(right_text)));
      }
      merged.assign(left_text).append(right_text);
      const auto result = vocabulary.find(merged);
      if (!result) {
        fail(element("model.merges", i), "expected the merged token in the vocabulary, found no " + in_quotes(merged));
      }
      merges.push_back({*left, *right, *result});
      pairs.emplace_back(std::uint64_t{*left} << 32U | *right, i);
    }
    std::sort(pairs.begin(), pairs.end());
    const auto twice =
        std::adjacent_find(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twice != pairs.end()) {
      fail(element("model.merges", twice[1].second),
           "expected each pair once, found that of " + element("model.merges", twice[0].second));
    }
    return merges;
  }

  /// A merge is "left right", or in newer files ["left", "right"].
  [[nodiscard]] std::pair<std::string_view, std::string_view> merge_pair(const Json& json, std::size_t index) const {
    if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string()) {
      return {json[0].get_ref<const std::string&>(), json[1].get_ref<const std::string&>()};
    }
    if (json.is_string()) {
      const std::string_view text = json.get_ref<const std::string&>();
      const std::size_t space = text.find(' ');
      if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
        return {text.substr(0, space), text.substr(space + 1)};
      }
    }
    fail(element("model.merges", index), "expected \"left right\" or [\"left\", \"right\"], found " + describe(json));
  }

  // ---- added tokens

  void read_added_tokens(const Json& json) {
    if (!json.is_array()) fail("added_tokens", "expected a list, found " + describe(json));
    for (std::size_t i = 0; i < json.size(); ++i) {
      ObjectReader reader(json[i], source_name_, element("added_tokens", i));
      AddedToken token;
      token.id = token_id(reader.at("id"), [&] { return element("added_tokens", i) + ".id"; });
      token.content = reader.string("content");
      token.special = reader.boolean("special");
      token.single_word = reader.boolean("single_word");
      token.lstrip = reader.boolean("lstrip");
      token.rstrip = reader.boolean("rstrip");
      token.normalized = reader.boolean("normalized");
      reader.reject_unknown_keys();
      if (token.content.empty() || is_repeated(token)) continue;  // neither is ever found
      const auto in_vocabulary = parts_.vocabulary->find(token.content);
      const bool agrees = in_vocabulary ? *in_vocabulary == token.id : !parts_.vocabulary->contains(token.id);
      if (!agrees || !added_.emplace(token.id, token.content).second ||
          !added_texts_.emplace(token.content, token.id).second) {
        reader.fail("id", "an id of its own, or the one of " + in_quotes(token.content) + " in the vocabulary",
                    reader.at("id"));
      }
      parts_.added_tokens.push_back(std::move(token));
    }
  }

  [[nodiscard]] bool is_repeated(const AddedToken& token) const {
    return added_.contains(token.id) &&
           std::find(parts_.added_tokens.begin(), parts_.added_tokens.end(), token) != parts_.added_tokens.end();
  }

  // ---- what stands around a text

  void read_post_processor(const Json& json, const std::string& path) {
    bool seen_template = false;
    steps_.for_each_step(
        json, path, "processors", [&](ObjectReader& reader, const std::string& type, const std::string& step) {
          if (type == "ByteLevel") return HfComponentReader::ignore_byte_level_fields(reader);  // changes offsets only
          const bool is_pair = type == "BertProcessing" || type == "RobertaProcessing";
          if (!is_pair && type != "TemplateProcessing") {
            reader.fail("type",
                        "one of \"BertProcessing\", \"ByteLevel\", \"RobertaProcessing\", \"TemplateProcessing\", "
                        "\"Sequence\"",
                        reader.at("type"), ErrorKind::unsupported);
          }
          if (seen_template) fail(step, "expected one step that adds tokens, found another");
          seen_template = true;
          is_pair ? read_pair(reader, step) : read_template(reader, step);
        });
  }

  /// {"cls": ["<s>", 0], "sep": ["</s>", 2]}: cls before a text, sep after it.
  void read_pair(ObjectReader& reader, const std::string& path) {
    for (const std::string_view key : {"trim_offsets", "add_prefix_space"})  // change offsets only
      static_cast<void>(reader.boolean_or(key, true));
    const auto id_of = [&](std::string_view key) {
      const Json& pair = reader.at(key);
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string()) reader.fail(key, "[\"text\", id]", pair);
      return known_id(pair[1], path + "." + std::string(key) + "[1]");
    };
    parts_.prefix.push_back(id_of("cls"));
    parts_.suffix.push_back(id_of("sep"));
    reader.reject_unknown_keys();
  }

  [[nodiscard]] TokenId known_id(const Json& json, const std::string& field) const {
    const TokenId id = token_id(json, [&] { return field; });
    if (!parts_.vocabulary->contains(id) && !added_.contains(id))
      fail(field, "expected the id of a token, found " + std::to_string(id));
    return id;
  }

  /// "single" lists what stands around one text: {"SpecialToken": {"id": "<s>"}} and, once, {"Sequence": {"id": "A"}}.
  void read_template(ObjectReader& reader, const std::string& path) {
    const Json& single = list(reader, "single");
    if (reader.has("pair")) static_cast<void>(list(reader, "pair"));  // two texts at once: not for generation
    const Json* special_tokens = reader.has("special_tokens") ? &reader.at("special_tokens") : nullptr;
    reader.reject_unknown_keys();
    bool after_text = false;
    for (std::size_t i = 0; i < single.size(); ++i) {
      const std::string source_name = element(path + ".single", i);
      ObjectReader item(single[i], source_name_, source_name);
      if (item.has("Sequence")) {
        ObjectReader sequence = item.object("Sequence");
        static_cast<void>(sequence.choice<int>("id", {{"A", 0}}));
        static_cast<void>(sequence.integer_or("type_id", 0, UINT32_MAX, 0));
        sequence.reject_unknown_keys();
        if (after_text) fail(source_name, "expected the text once, found it again");
        after_text = true;
      } else {
        ObjectReader special = item.object("SpecialToken");
        const std::string name = special.string("id");
        static_cast<void>(special.integer_or("type_id", 0, UINT32_MAX, 0));
        special.reject_unknown_keys();
        append_special(special_tokens, name, path + ".special_tokens", after_text ? parts_.suffix : parts_.prefix);
      }
      item.reject_unknown_keys();
    }
    if (!after_text) fail(path + ".single", "expected {\"Sequence\": {\"id\": \"A\"}}, found none");
  }

  void append_special(const Json* special_tokens, const std::string& name, const std::string& path,
                      std::vector<TokenId>& ids) const {
    if (special_tokens == nullptr) fail(path, "expected an object, found none");
    ObjectReader all(*special_tokens, source_name_, path);
    ObjectReader entry = all.object(name);
    static_cast<void>(entry.has("id"));
    static_cast<void>(entry.has("tokens"));
    const Json& json = list(entry, "ids");
    entry.reject_unknown_keys();
    for (std::size_t i = 0; i < json.size(); ++i) {
      const TokenId id = known_id(json[i], element(path + "." + name + ".ids", i));
      if (ids.size() == kMaxTemplateIds)
        fail(path, "expected at most " + std::to_string(kMaxTemplateIds) + " tokens around a text, found more",
             ErrorKind::does_not_fit);
      ids.push_back(id);
    }
  }

  static constexpr std::size_t kMaxTemplateIds = 1024;  // before a text, and after it

  const Json& document_;
  std::string source_name_;
  TokenizerParts parts_;
  std::unordered_map<TokenId, std::string> added_;
  std::unordered_map<std::string, TokenId> added_texts_;
  std::uint64_t id_limit_ = 0;
  HfComponentReader steps_;  // borrows from the others
};

}  // namespace detail

TRINE_DECL TokenizerParts parse_hf_tokenizer_json(std::string_view text, const std::string& name,
                                                  const RegexCompiler& compile) {
  try {
    return hf_tokenizer_parts(parse_json(text, name), name, compile);
  } catch (const ConfigError& error) {
    throw TokenizerError(error.what(), error.details());
  }
}

TRINE_DECL TokenizerParts hf_tokenizer_parts(const Json& document, const std::string& name,
                                             const RegexCompiler& compile) {
  try {
    return detail::HfTokenizerReader(document, name, compile).read();
  } catch (const ConfigError& error) {
    throw TokenizerError(error.what(), error.details());
  }
}

}  // namespace trine::inline TRINE_ABI
