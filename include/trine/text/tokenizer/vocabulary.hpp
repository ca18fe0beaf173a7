// SPDX-License-Identifier: Apache-2.0
// The tokens of a model: their texts, as a tokenizer file writes them, and their numbers.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>

namespace trine::inline TRINE_ABI {

/// A one-to-one map of texts and ids. Ids may have gaps, which cost 8 bytes each. Movable.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;  // by_id_ points into by_text_
  Vocabulary& operator=(const Vocabulary&) = delete;
  ~Vocabulary() = default;

  /// False, and nothing is changed, if the text or the id is taken. Memory follows the largest id: check it first.
  [[nodiscard]] bool insert(std::string text, TokenId id) {
    if (contains(id)) return false;
    const auto [entry, inserted] = by_text_.emplace(std::move(text), id);
    if (!inserted) return false;
    if (id >= by_id_.size()) by_id_.resize(std::size_t{id} + 1, nullptr);
    by_id_[id] = &entry->first;
    return true;
  }

  [[nodiscard]] std::optional<TokenId> find(std::string_view text) const {
    const auto found = by_text_.find(text);
    if (found == by_text_.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] bool contains(TokenId id) const noexcept { return id < by_id_.size() && by_id_[id] != nullptr; }
  /// The text of a token that the vocabulary contains. Borrowed.
  [[nodiscard]] std::string_view text(TokenId id) const { return *by_id_[id]; }
  /// The largest id + 1.
  [[nodiscard]] std::size_t id_limit() const noexcept { return by_id_.size(); }
  /// How many tokens there are.
  [[nodiscard]] std::size_t count() const noexcept { return by_text_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  std::unordered_map<std::string, TokenId, Hash, std::equal_to<>> by_text_;
  std::vector<const std::string*> by_id_;  // null in gaps
};

}  // namespace trine::inline TRINE_ABI
