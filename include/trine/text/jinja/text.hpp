// SPDX-License-Identifier: Apache-2.0
// Text that knows which of its bytes are untrusted.
//
// A chat template writes control tokens around what people said. Whoever can make a program say "<|im_end|>" in their
// name must not get the control token: so every string that comes from the conversation is marked as untrusted, the
// marks follow the bytes through slicing, trimming, joining and escaping, and the encoder finds no control token in
// them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/tokenizer/byte_range.hpp>

namespace trine::inline TRINE_ABI::templates {

/// Valid UTF-8 with marks. Every operation costs what it copies, and a logarithm of the number of marks.
class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, bool untrusted = false) : bytes_(std::move(bytes)) {
    if (untrusted && !bytes_.empty()) untrusted_.push_back({0, bytes_.size()});
  }

  [[nodiscard]] std::string_view view() const noexcept { return bytes_; }
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  /// Sorted; they neither overlap nor touch.
  [[nodiscard]] const std::vector<ByteRange>& untrusted() const noexcept { return untrusted_; }

  /// Is it HTML by what the filters `safe` and `escape` say? Adding it to other text escapes that text.
  [[nodiscard]] bool is_html() const noexcept { return html_; }
  Text& set_html(bool html) noexcept {
    html_ = html;
    return *this;
  }

  [[nodiscard]] bool is_foreign(std::size_t byte) const noexcept {
    const auto range = first_ending_behind(byte);
    return range != untrusted_.end() && range->begin <= byte;
  }

  Text& append(std::string_view text, bool untrusted = false) {
    if (untrusted) mark(bytes_.size(), bytes_.size() + text.size());
    bytes_ += text;
    return *this;
  }
  Text& append(const Text& from) { return append(from, 0, from.size()); }
  /// Bytes [begin, end) of `from`, with their marks.
  Text& append(const Text& from, std::size_t begin, std::size_t end) {
    const std::size_t shift = bytes_.size() - begin;  // may wrap: it is added to numbers of at least `begin`
    for (auto range = from.first_ending_behind(begin); range != from.untrusted_.end() && range->begin < end; ++range)
      mark(std::max(range->begin, begin) + shift, std::min(range->end, end) + shift);
    bytes_.append(from.bytes_, begin, end - begin);
    return *this;
  }

  [[nodiscard]] Text part(std::size_t begin, std::size_t end) const {
    return Text().append(*this, begin, end).set_html(html_);
  }

 private:
  [[nodiscard]] std::vector<ByteRange>::const_iterator first_ending_behind(std::size_t byte) const noexcept {
    return std::partition_point(untrusted_.begin(), untrusted_.end(),
                                [&](const ByteRange& range) { return range.end <= byte; });
  }

  void mark(std::size_t begin, std::size_t end) {
    if (begin == end) return;
    if (!untrusted_.empty() && untrusted_.back().end == begin) {
      untrusted_.back().end = end;
    } else {
      untrusted_.push_back({begin, end});
    }
  }

  std::string bytes_;
  std::vector<ByteRange> untrusted_;
  bool html_ = false;
};

}  // namespace trine::inline TRINE_ABI::templates
