// SPDX-License-Identifier: Apache-2.0
// Added tokens, such as <|endoftext|>: found in a text before anything else is done with it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/byte_range.hpp>
#include <trine/text/unicode/unicode_categories.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// As in the list "added_tokens" of a Hugging Face tokenizer.json.
struct AddedToken {
  TokenId id = 0;
  std::string content;       // not empty
  bool special = false;      // a control token: not found in untrusted text, not shown when special tokens are skipped
  bool single_word = false;  // not found beside a word character
  bool lstrip = false;       // swallows the white space before it
  bool rstrip = false;       // swallows the white space behind it
  bool normalized = false;   // looked for after normalization, in what the others left
  friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

/// Finds the longest pattern at each position of a text, in linear time however the patterns overlap.
/// Aho & Corasick, "Efficient String Matching: An Aid to Bibliographic Search", CACM 18(6), 1975, run from right to
/// left over reversed patterns: the state after reading position i knows the longest pattern that begins there.
class LongestMatcher {
 public:
  struct Match {
    std::size_t begin;
    std::uint32_t pattern;
  };

  /// Patterns are distinct, not empty and fewer than 2^32 - 1 bytes together.
  explicit LongestMatcher(std::span<const std::string_view> patterns) {
    nodes_.emplace_back();
    for (std::size_t p = 0; p < patterns.size(); ++p) insert(patterns[p], static_cast<std::uint32_t>(p));
    link();
  }

  /// The longest match at each position that has one, positions descending.
  [[nodiscard]] std::vector<Match> find(std::string_view text) const {
    std::vector<Match> matches;
    std::uint32_t node = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
      node = step(node, static_cast<std::uint8_t>(text[i]));
      if (nodes_[node].longest != kNone) matches.push_back({i, nodes_[node].longest});
    }
    return matches;
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  struct Node {
    std::uint32_t fallback = 0;     // the longest other beginning of a reversed pattern that this one ends with
    std::uint32_t longest = kNone;  // the longest pattern that ends (reversed) here
  };

  [[nodiscard]] static std::uint64_t edge(std::uint32_t node, std::uint8_t byte) noexcept {
    return std::uint64_t{node} << 8U | byte;
  }

  [[nodiscard]] std::uint32_t step(std::uint32_t node, std::uint8_t byte) const {
    for (; node != 0; node = nodes_[node].fallback) {
      const auto found = edges_.find(edge(node, byte));
      if (found != edges_.end()) return found->second;
    }
    return from_root_[byte];
  }

  void insert(std::string_view pattern, std::uint32_t index) {
    std::uint32_t node = 0;
    for (std::size_t i = pattern.size(); i-- > 0;) {
      const auto [found, added] = edges_.try_emplace(edge(node, static_cast<std::uint8_t>(pattern[i])),
                                                     static_cast<std::uint32_t>(nodes_.size()));
      if (added) nodes_.emplace_back();
      node = found->second;
    }
    nodes_[node].longest = index;
  }

  // Breadth first: the fallback of a node is nearer to the root than the node.
  void link() {
    std::vector<std::uint32_t> order = {0};
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::uint32_t node = order[i];
      for (auto e = edges_.lower_bound(edge(node, 0)); e != edges_.end() && e->first <= edge(node, 255); ++e) {
        const auto byte = static_cast<std::uint8_t>(e->first & 255U);
        Node& child = nodes_[e->second];
        if (node == 0) {
          from_root_[byte] = e->second;
        } else {
          child.fallback = step(nodes_[node].fallback, byte);
        }
        if (child.longest == kNone) child.longest = nodes_[child.fallback].longest;
        order.push_back(e->second);
      }
    }
  }

  std::vector<Node> nodes_;
  std::map<std::uint64_t, std::uint32_t>
      edges_;  // node << 8 | byte, to node; ordered, so that no file can make it slow
  std::array<std::uint32_t, 256> from_root_{};
};

/// Cuts a text at the added tokens in it, as AddedVocabulary of Hugging Face tokenizers does: leftmost, then longest.
class AddedTokenSplitter {
 public:
  explicit AddedTokenSplitter(std::vector<AddedToken> tokens)
      : tokens_(std::move(tokens)), matcher_(contents(tokens_)) {}

  /// Calls visit(std::optional<TokenId>, std::string_view) for each token and each text between, from left to right.
  /// The text of a token includes the white space that it swallows. Without `parse_special`, special tokens are text;
  /// with it, those that share a byte with `untrusted` are (sorted ranges without overlap: what users or tools wrote).
  template <class Visit>
  void split(std::string_view text, bool parse_special, std::span<const ByteRange> untrusted, Visit&& visit) const {
    std::size_t done = 0;       // all before is visited
    std::size_t match_end = 0;  // of the last match, whether it was accepted or not
    const auto matches = tokens_.empty() ? std::vector<LongestMatcher::Match>() : matcher_.find(text);
    for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
      if (match->begin < std::max(match_end, done)) continue;  // what is swallowed is no token again
      const AddedToken& token = tokens_[match->pattern];
      std::size_t begin = match->begin;
      std::size_t end = begin + token.content.size();
      if (token.special && overlaps({begin, end}, untrusted)) continue;  // and so hides no token behind it
      match_end = end;
      if (token.special && !parse_special) continue;
      if (token.single_word && !stands_alone(text, begin, end)) continue;
      if (token.lstrip) begin = before_spaces(text, begin, done);
      if (token.rstrip) end = behind_spaces(text, end);
      if (done < begin) visit(std::optional<TokenId>(), text.substr(done, begin - done));
      visit(std::optional<TokenId>(token.id), text.substr(begin, end - begin));
      done = end;
    }
    if (done < text.size()) visit(std::optional<TokenId>(), text.substr(done));
  }
  template <class Visit>
  void split(std::string_view text, bool parse_special, Visit&& visit) const {
    split(text, parse_special, {}, std::forward<Visit>(visit));
  }

 private:
  [[nodiscard]] static std::vector<std::string_view> contents(const std::vector<AddedToken>& tokens) {
    std::vector<std::string_view> result;
    for (const AddedToken& token : tokens) result.emplace_back(token.content);
    return result;
  }

  [[nodiscard]] static bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
    const auto is_word = [](const Utf8Step& step) {
      return step.status == Utf8Status::valid && is_word_character(step.code_point);
    };
    return (begin == 0 || !is_word(decode_last_utf8(text.substr(0, begin)))) &&
           (end == text.size() || !is_word(decode_utf8(text.substr(end))));
  }

  // Where the spaces before `begin` begin, not before `least`.
  [[nodiscard]] static std::size_t before_spaces(std::string_view text, std::size_t begin, std::size_t least) {
    while (begin > least) {
      const Utf8Step step = decode_last_utf8(text.substr(least, begin - least));
      if (step.status != Utf8Status::valid || !is_space(step.code_point)) break;
      begin -= step.bytes;
    }
    return begin;
  }

  [[nodiscard]] static std::size_t behind_spaces(std::string_view text, std::size_t end) {
    while (end < text.size()) {
      const Utf8Step step = decode_utf8(text.substr(end));
      if (step.status != Utf8Status::valid || !is_space(step.code_point)) break;
      end += step.bytes;
    }
    return end;
  }

  std::vector<AddedToken> tokens_;
  LongestMatcher matcher_;
};

}  // namespace trine::inline TRINE_ABI
