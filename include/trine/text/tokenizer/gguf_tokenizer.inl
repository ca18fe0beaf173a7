// SPDX-License-Identifier: Apache-2.0
// The definitions of text/tokenizer/gguf_tokenizer.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/error.hpp>
#include <trine/text/tokenizer/gguf_pre_tokenizers.hpp>
#include <trine/text/tokenizer/gguf_tokenizer.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/unicode/utf8.hpp>
#include <trine/weights/gguf_metadata.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// "tokenizer.ggml.token_type", as files number them.
enum class GgufTokenType : std::uint8_t { normal = 1, unknown, control, user_defined, unused, byte };

/// Reads "tokenizer.ggml.*".
class GgufTokenizerReader {
 public:
  explicit GgufTokenizerReader(const GgufMetadata& metadata)
      : metadata_(metadata),
        model_(metadata.string(key("model"))),
        is_gemma_(model_ == "gemma4"),
        is_characters_(model_ == "llama" || is_gemma_),
        tokens_(metadata.strings(key("tokens"))),
        types_(tokens_.size(), GgufTokenType::normal) {
    if (model_ != "gpt2" && !is_characters_)
      metadata.fail(key("model"), "'gpt2', 'llama' or 'gemma4'", ErrorKind::unsupported);
    if (metadata.has(key("token_type"))) {
      const std::vector<std::uint64_t> types = metadata.unsigned_integers(key("token_type"), 0, 6);
      if (types.size() != tokens_.size()) fail_length("token_type");
      for (std::size_t i = 0; i < types.size(); ++i)
        if (types[i] != 0) types_[i] = static_cast<GgufTokenType>(types[i]);  // 0: not said
    }
    for (const std::string_view token : tokens_)
      if (!is_valid_utf8(token)) metadata.fail(key("tokens"), "UTF-8 in every token");
  }

  [[nodiscard]] Json document() const {
    Json added = Json::array();
    const Json vocabulary = vocab(added);
    Json model = {{"type", "BPE"}, {"vocab", vocabulary}};
    Json result = {{"version", "1.0"}, {"added_tokens", std::move(added)}, {"normalizer", nullptr}};
    if (is_characters_) {
      write_characters(result, model, vocabulary);
    } else {
      write_bytes(result, model);
    }
    result["model"] = std::move(model);
    result["post_processor"] = post_processor();
    return result;
  }

  /// The token that a key names, or its default.
  [[nodiscard]] std::optional<TokenId> special(std::string_view name, std::optional<TokenId> otherwise = {}) const {
    const std::string full = key(std::string(name) + "_token_id");
    if (!metadata_.has(full)) return otherwise && *otherwise < tokens_.size() ? otherwise : std::nullopt;
    // Some converters write the largest u32 for none.
    const std::uint64_t id = metadata_.unsigned_integer(full);
    if (id == UINT32_MAX) return std::nullopt;
    if (id >= tokens_.size())
      metadata_.fail(full, "the id of one of " + std::to_string(tokens_.size()) + " tokens", ErrorKind::out_of_range);
    return static_cast<TokenId>(id);
  }
  [[nodiscard]] std::optional<TokenId> bos() const { return special("bos", default_id(is_gemma_ ? 2 : 1)); }
  [[nodiscard]] std::optional<TokenId> eos() const { return special("eos", default_id(is_gemma_ ? 1 : 2)); }
  [[nodiscard]] std::optional<TokenId> unknown() const { return special("unknown", default_id(is_gemma_ ? 3 : 0)); }
  [[nodiscard]] std::string text(TokenId id) const { return std::string(tokens_[id]); }

 private:
  [[nodiscard]] static std::string key(std::string_view name) { return "tokenizer.ggml." + std::string(name); }

  // SentencePiece has these ids in files that do not name them; byte-level files have none.
  [[nodiscard]] std::optional<TokenId> default_id(TokenId id) const {
    return is_characters_ ? std::optional(id) : std::nullopt;
  }

  [[noreturn]] void fail_length(std::string_view name) const {
    metadata_.fail(key(name), "as many as tokens, " + std::to_string(tokens_.size()), ErrorKind::mismatch);
  }

  // The tokens of the model; those that are found in the text before it go to `added`.
  [[nodiscard]] Json vocab(Json& added) const {
    Json::object_t vocabulary;
    std::unordered_map<std::string_view, std::size_t> seen;
    const std::optional<TokenId> unknown_id = is_characters_ ? unknown() : std::nullopt;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const GgufTokenType type = types_[i];
      if (tokens_[i].empty() || type == GgufTokenType::unused) continue;  // rows of the embedding without a token
      const auto [other, is_new] = seen.emplace(tokens_[i], i);
      if (!is_new && !is_gemma_)
        metadata_.fail(key("tokens"), "each token once, but " + std::to_string(other->second) + " and " +
                                          std::to_string(i) + " are both " + in_quotes(tokens_[i]));
      const bool is_added =
          type == GgufTokenType::control || type == GgufTokenType::user_defined || type == GgufTokenType::unknown;
      // Files of Gemma 4 have a few tokens twice, of which the last counts.
      if (!is_added || i == unknown_id) vocabulary.insert_or_assign(std::string(tokens_[i]), i);
      if (is_added)
        added.push_back({{"id", i},
                         {"content", std::string(tokens_[i])},
                         {"special", type != GgufTokenType::user_defined},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false}});
    }
    return vocabulary;
  }

  // ---- byte-level BPE

  void write_bytes(Json& result, Json& model) const {
    const GgufPreTokenizer& pre = pre_tokenizer();
    Json steps = Json::array();
    for (const std::string_view pattern : pre.patterns)
      steps.push_back({{"type", "Split"},
                       {"pattern", {{"Regex", std::string(pattern)}}},
                       {"behavior", "Isolated"},
                       {"invert", false}});
    steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", pre.gpt2}});
    if (metadata_.boolean_or(key("add_space_prefix"), false))
      metadata_.fail(key("add_space_prefix"), "false with the model 'gpt2'", ErrorKind::unsupported);
    if (pre.nfc) result["normalizer"] = {{"type", "NFC"}};
    result["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
    result["decoder"] = {{"type", "ByteLevel"}};
    model["ignore_merges"] = pre.ignore_merges;
    model["merges"] = stored_merges();
  }

  [[nodiscard]] const GgufPreTokenizer& pre_tokenizer() const {
    const std::string_view name = metadata_.string_or(key("pre"), "");
    const auto found = std::ranges::find(kGgufPreTokenizers, name, &GgufPreTokenizer::name);
    if (found != kGgufPreTokenizers.end()) return *found;
    std::string known;
    for (const GgufPreTokenizer& one : kGgufPreTokenizers) known += (known.empty() ? "" : ", ") + std::string(one.name);
    metadata_.fail(key("pre"), "one of " + known, ErrorKind::unsupported);
  }

  [[nodiscard]] Json stored_merges() const {
    Json merges = Json::array();
    for (const std::string_view merge : metadata_.strings(key("merges"))) {
      if (!is_valid_utf8(merge)) metadata_.fail(key("merges"), "UTF-8 in every merge");
      merges.push_back(std::string(merge));
    }
    return merges;
  }

  // ---- SentencePiece; "gemma4" is the same with merges of its own, and without a space before the text

  void write_characters(Json& result, Json& model, const Json& vocabulary) const {
    if (metadata_.boolean_or(key("remove_extra_whitespaces"), false))
      metadata_.fail(key("remove_extra_whitespaces"), "false", ErrorKind::unsupported);
    if (metadata_.has(key("precompiled_charsmap")))
      metadata_.fail(key("precompiled_charsmap"), "no normalization", ErrorKind::unsupported);
    const bool prefix = metadata_.boolean_or(key("add_space_prefix"), !is_gemma_);
    const std::string space = "\xE2\x96\x81";  // U+2581
    Json normalizers = Json::array();
    if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", space}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space}});
    result["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(normalizers)}};
    result["pre_tokenizer"] = nullptr;
    Json decoders = Json::array({{{"type", "Replace"}, {"pattern", {{"String", space}}}, {"content", " "}},
                                 {{"type", "ByteFallback"}},
                                 {{"type", "Fuse"}}});
    if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1U}, {"stop", 0U}});
    result["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
    model["byte_fallback"] = true;
    model["fuse_unk"] = true;
    if (const auto id = unknown(); id && vocabulary.contains(text(*id))) model["unk_token"] = text(*id);
    model["merges"] = is_gemma_ || metadata_.has(key("merges")) ? stored_merges() : merges_of_scores();
  }

  struct ScoredMerge {
    double score;
    std::string_view left;
    std::string_view right;
    std::size_t left_id;
    std::size_t right_id;
  };

  // Every cut of a token into two tokens is a merge, and those of tokens with higher scores come first: as transformers
  // makes a tokenizer.json of a SentencePiece model.
  [[nodiscard]] Json merges_of_scores() const {
    const std::vector<double> scores = metadata_.numbers(key("scores"));
    if (scores.size() != tokens_.size()) fail_length("scores");
    std::unordered_map<std::string_view, std::size_t> ids;
    std::vector<ScoredMerge> merges;
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      if (types_[i] == GgufTokenType::normal && !tokens_[i].empty()) ids.emplace(tokens_[i], i);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::string_view token = tokens_[i];
      if (types_[i] != GgufTokenType::normal || token.size() > kLongestToken) continue;
      const std::size_t begin = merges.size();
      for (std::size_t cut = 1; cut < token.size(); ++cut) {
        const auto left = ids.find(token.substr(0, cut));
        if (left == ids.end()) continue;
        const auto right = ids.find(token.substr(cut));
        if (right == ids.end()) continue;
        merges.push_back({scores[i], left->first, right->first, left->second, right->second});
      }
      std::sort(merges.begin() + static_cast<std::ptrdiff_t>(begin), merges.end(), [](const auto& a, const auto& b) {
        return std::pair(a.left_id, a.right_id) < std::pair(b.left_id, b.right_id);
      });
    }
    const auto order = [](const ScoredMerge& m) {
      return std::tuple(-m.score, -static_cast<std::ptrdiff_t>(characters(m.left)),
                        -static_cast<std::ptrdiff_t>(characters(m.right)));
    };
    std::stable_sort(merges.begin(), merges.end(),
                     [&](const ScoredMerge& a, const ScoredMerge& b) { return order(a) < order(b); });
    if (merges.size() > 1 && merges.front().score == merges.back().score)
      metadata_.fail(key("scores"), "scores that differ, or merges", ErrorKind::unsupported);
    Json result = Json::array();
    for (const ScoredMerge& merge : merges)
      result.push_back(Json::array({std::string(merge.left), std::string(merge.right)}));
    return result;
  }

  [[nodiscard]] static std::size_t characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  }

  // ---- what stands around a text

  [[nodiscard]] Json post_processor() const {
    const bool adds_bos =
        metadata_.boolean_or(key("add_bos_token"), is_characters_ || (pre_tokenizer().add_bos && bos().has_value()));
    const bool adds_eos = metadata_.boolean_or(key("add_eos_token"), false);
    if (!adds_bos && !adds_eos) return nullptr;
    Json single = Json::array();
    Json tokens = Json::object();
    const auto add = [&](std::string_view name, std::optional<TokenId> id) {
      if (!id)
        metadata_.fail(key(std::string(name) + "_token_id"),
                       "the id of a token, because add_" + std::string(name) + "_token is true");
      single.push_back({{"SpecialToken", {{"id", text(*id)}, {"type_id", 0U}}}});
      tokens[text(*id)] = {{"id", text(*id)}, {"ids", {*id}}, {"tokens", {text(*id)}}};
    };
    if (adds_bos) add("bos", bos());
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0U}}}});
    if (adds_eos) add("eos", eos());
    return {{"type", "TemplateProcessing"}, {"single", std::move(single)}, {"special_tokens", std::move(tokens)}};
  }

  // A token of n bytes takes n^2 to cut.
  static constexpr std::size_t kLongestToken = 1024;

  const GgufMetadata& metadata_;
  std::string model_;
  bool is_gemma_;
  bool is_characters_;
  std::vector<std::string_view> tokens_;
  std::vector<GgufTokenType> types_;
};

}  // namespace detail

TRINE_DECL Json gguf_tokenizer_json(const GgufMetadata& metadata) {
  return detail::GgufTokenizerReader(metadata).document();
}

TRINE_DECL SpecialTokens gguf_special_tokens(const GgufMetadata& metadata) {
  const detail::GgufTokenizerReader reader(metadata);
  SpecialTokens tokens;
  const auto add = [&](const char* name, std::optional<TokenId> id) {
    if (id) tokens.emplace_back(name, reader.text(*id));
  };
  add("bos_token", reader.bos());
  add("eos_token", reader.eos());
  add("unk_token", reader.unknown());
  add("sep_token", reader.special("seperator"));
  add("pad_token", reader.special("padding"));
  add("mask_token", reader.special("mask"));
  return tokens;
}

TRINE_DECL std::vector<TokenId> gguf_eos_token_ids(const GgufMetadata& metadata) {
  const detail::GgufTokenizerReader reader(metadata);
  std::vector<TokenId> ids;
  for (const std::optional<TokenId> id : {reader.eos(), reader.special("eot"), reader.special("eom")})
    if (id) ids.push_back(*id);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

TRINE_DECL Json gguf_chat_template(const GgufMetadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  const auto text = [&](std::string_view key) {
    const std::string_view value = metadata.string(key);
    if (!is_valid_utf8(value)) metadata.fail(key, "UTF-8");
    return std::string(value);
  };
  Json named = Json::array();
  if (metadata.has(kKey)) named.push_back({{"name", "default"}, {"template", text(kKey)}});
  const std::string prefix = std::string(kKey) + ".";
  for (const std::string_view key : metadata.keys())
    if (key.starts_with(prefix))
      named.push_back({{"name", std::string(key.substr(prefix.size()))}, {"template", text(key)}});
  if (named.empty()) return nullptr;
  if (named.size() == 1 && metadata.has(kKey)) return named[0]["template"];
  return named;
}

TRINE_DECL TokenizerParts read_gguf_tokenizer(const GgufMetadata& metadata, const RegexCompiler& compile) {
  try {
    TokenizerParts parts = hf_tokenizer_parts(gguf_tokenizer_json(metadata), metadata.source_name(), compile);
    parts.config = tokenizer_config_of(gguf_special_tokens(metadata));
    parts.eos_token_ids = gguf_eos_token_ids(metadata);
    return parts;
  } catch (const ConfigError& error) {
    throw TokenizerError(error.what(), error.details());
  }
}

}  // namespace trine::inline TRINE_ABI
