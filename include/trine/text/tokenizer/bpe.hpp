// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: neighbours are merged, best rank first, until no merge applies.
// Sennrich, Haddow & Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016. arXiv:1508.07909
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/byte_level.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/vocabulary.hpp>

namespace trine::inline TRINE_ABI {

/// `left` followed by `right` becomes `result`.
struct Merge {
  TokenId left;
  TokenId right;
  TokenId result;
};

/// The merges of a model by rank, and by pair. Lookup is a search among the merges with the same left token: no
/// hashing, so no file can make it slow.
class MergeTable {
 public:
  /// `merges` in order of rank, best first, each pair once; fewer than 2^32. Memory follows the largest left id.
  explicit MergeTable(std::vector<Merge> merges) : by_rank_(std::move(merges)) {
    if (by_rank_.size() > std::numeric_limits<std::uint32_t>::max())
      throw TokenizerError("too many merges", {.kind = ErrorKind::does_not_fit, .field = "model.merges"});
    TokenId largest = 0;
    for (const Merge& merge : by_rank_) largest = std::max(largest, merge.left);
    begin_.assign(std::size_t{largest} + 2, 0);
    for (const Merge& merge : by_rank_) ++begin_[std::size_t{merge.left} + 1];
    for (std::size_t left = 1; left < begin_.size(); ++left) begin_[left] += begin_[left - 1];
    by_pair_.resize(by_rank_.size());
    std::vector<std::uint32_t> next(begin_.begin(), begin_.end() - 1);
    for (std::size_t rank = 0; rank < by_rank_.size(); ++rank) {
      by_pair_[next[by_rank_[rank].left]++] = {by_rank_[rank].right, static_cast<std::uint32_t>(rank)};
    }
    for (std::size_t left = 0; left + 1 < begin_.size(); ++left) {
      std::sort(by_pair_.begin() + begin_[left], by_pair_.begin() + begin_[left + 1]);
    }
  }

  /// The rank of the merge of two neighbours, if there is one.
  [[nodiscard]] std::optional<std::uint32_t> rank(TokenId left, TokenId right) const noexcept {
    if (left >= begin_.size() - 1) return std::nullopt;
    const auto first = by_pair_.begin() + begin_[left];
    const auto last = by_pair_.begin() + begin_[std::size_t{left} + 1];
    const auto found = std::lower_bound(first, last, std::pair{right, std::uint32_t{0}});
    if (found == last || found->first != right) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] const Merge& operator[](std::uint32_t rank) const noexcept { return by_rank_[rank]; }
  [[nodiscard]] std::size_t size() const noexcept { return by_rank_.size(); }

 private:
  std::vector<Merge> by_rank_;
  std::vector<std::uint32_t> begin_;                        // [largest left + 2] where the merges of a left token begin
  std::vector<std::pair<TokenId, std::uint32_t>> by_pair_;  // right token and rank, ascending within a left token
};

/// Merges the symbols of one piece after the other; keeps its memory in between. One thread at a time.
class BytePairMerger {
 public:
  /// Borrows `merges`.
  explicit BytePairMerger(const MergeTable& merges) : merges_(merges) {}

  /// Replaces `symbols` by what remains when no merge applies: lowest rank first, leftmost first among equals.
  /// n symbols take O(n log n) time and 16 n bytes. Throws InputError beyond 2^32 - 2 symbols.
  void merge(std::vector<TokenId>& symbols) {
    const std::size_t count = symbols.size();
    if (count < 2) return;
    if (count >= kNone)
      throw InputError("expected a piece of at most 4294967294 symbols, found " + std::to_string(count));
    next_.resize(count);
    previous_.resize(count);
    candidates_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      next_[i] = i + 1;
      previous_[i] = i == 0 ? kNone : i - 1;
      if (i + 1 < count) consider(symbols, i);
    }
    std::make_heap(candidates_.begin(), candidates_.end(), std::greater<>());

    while (!candidates_.empty()) {
      std::pop_heap(candidates_.begin(), candidates_.end(), std::greater<>());
      const Merge& merge = merges_[static_cast<std::uint32_t>(candidates_.back() >> 32U)];
      const auto position = static_cast<std::uint32_t>(candidates_.back());
      candidates_.pop_back();
      const std::uint32_t right = next_[position];
      // A candidate is stale when one of the two was merged with something else in the meantime.
      if (symbols[position] != merge.left || right == count || symbols[right] != merge.right) continue;
      symbols[position] = merge.result;
      symbols[right] = kNone;
      const std::uint32_t after = next_[position] = next_[right];
      if (after < count) {
        previous_[after] = position;
        push(symbols, position);
      }
      if (previous_[position] != kNone) push(symbols, previous_[position]);
    }

    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; i = next_[i]) symbols[kept++] = symbols[i];
    symbols.resize(kept);
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  bool consider(const std::vector<TokenId>& symbols, std::uint32_t position) {
    const auto rank = merges_.rank(symbols[position], symbols[next_[position]]);
    if (rank) candidates_.push_back(std::uint64_t{*rank} << 32U | position);
    return rank.has_value();
  }
  void push(const std::vector<TokenId>& symbols, std::uint32_t position) {
    if (consider(symbols, position)) std::push_heap(candidates_.begin(), candidates_.end(), std::greater<>());
  }

  const MergeTable& merges_;
  std::vector<std::uint32_t> next_, previous_;  // a linked list of the symbols that are left
  std::vector<std::uint64_t> candidates_;       // a heap of rank << 32 | position of the left symbol; may be stale
};

/// The step from pieces to token ids. Const and thread-safe.
class TokenModel {
 public:
  TokenModel() = default;
  TokenModel(const TokenModel&) = delete;
  TokenModel& operator=(const TokenModel&) = delete;
  virtual ~TokenModel() = default;

  /// Appends the tokens of each piece to `ids`.
  virtual void encode(const Pieces& pieces, std::vector<TokenId>& ids) const = 0;
};

/// Byte-pair encoding whose first symbols are the bytes of a piece.
class ByteLevelBpe final : public TokenModel {
 public:
  struct Options {
    std::optional<TokenId> unknown;  // for a byte that has no token; without it such a byte is dropped
    bool fuse_unknown = false;       // one unknown token for a run of them
    bool ignore_merges = false;      // a piece that is a token needs no merging
  };

  ByteLevelBpe(std::shared_ptr<const Vocabulary> vocabulary, MergeTable merges, Options options)
      : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)), options_(options) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::string text;
      append_utf8(byte_character(static_cast<std::uint8_t>(byte)), text);
      token_of_byte_[byte] = vocabulary_->find(text);
    }
  }

  void encode(const Pieces& pieces, std::vector<TokenId>& ids) const override {
    BytePairMerger merger(merges_);
    std::vector<TokenId> symbols;
    pieces.for_each([&](std::string_view piece) {
      if (options_.ignore_merges) {
        if (const auto whole = vocabulary_->find(to_byte_characters(piece))) {
          ids.push_back(*whole);
          return;
        }
      }
      symbols.clear();
      append_bytes(piece, symbols);
      merger.merge(symbols);
      ids.insert(ids.end(), symbols.begin(), symbols.end());
    });
  }

 private:
  void append_bytes(std::string_view piece, std::vector<TokenId>& symbols) const {
    bool after_unknown = false;
    for (const char byte : piece) {
      const auto token = token_of_byte_[static_cast<std::uint8_t>(byte)];
      if (token) {
        symbols.push_back(*token);
      } else if (options_.unknown && !(after_unknown && options_.fuse_unknown)) {
        symbols.push_back(*options_.unknown);
      }
      after_unknown = !token;
    }
  }

  std::shared_ptr<const Vocabulary> vocabulary_;
  MergeTable merges_;
  Options options_;
  std::array<std::optional<TokenId>, 256> token_of_byte_;  // published vocabularies lack bytes: SmolLM2 lacks 21
};

}  // namespace trine::inline TRINE_ABI
