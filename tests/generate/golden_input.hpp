// SPDX-License-Identifier: Apache-2.0
// The inputs of the golden models, in pieces, and the bits of what sessions answer.
#pragma once

#include <bit>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/generate/session.hpp>

#include "support/golden.hpp"

namespace trine::test {

namespace fs = std::filesystem;
using Bits = std::vector<std::uint32_t>;

inline fs::path golden_path(const std::string& name) { return fs::path(TRINE_TEST_DATA) / name; }

inline std::vector<std::string> golden_models() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories()) names.push_back(directory.filename().string());
  return names;
}

inline Bits bits_of(std::span<const float> values) {
  Bits result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

// The input of a golden model in the smallest pieces that a call may bring: tokens, or whole frames.
class Input {
 public:
  Input(Golden golden, const ModelInfo& info)
      : golden_(std::move(golden)), positions_(info.whole_frames ? info.frame_size : 1) {}

  [[nodiscard]] std::size_t pieces() const {
    return golden_.tokens.empty() ? golden_.features.shape()[0] : golden_.tokens.size() / positions_;
  }
  [[nodiscard]] std::size_t positions_of_a_piece() const { return positions_; }
  [[nodiscard]] Golden& golden() { return golden_; }

  Bits forward(Session& session, std::size_t first, std::size_t count, OutputRows rows = OutputRows::all) const {
    if (golden_.tokens.empty())
      return bits_of(session.forward_features(golden_.features.view().slice(first, count), rows).span());
    const std::span<const TokenId> tokens(golden_.tokens);
    return bits_of(session.forward(tokens.subspan(first * positions_, count * positions_), rows).span());
  }
  Bits forward(Session& session) const { return forward(session, 0, pieces()); }

  // Another value in the last piece.
  void change_the_last_piece() {
    if (golden_.tokens.empty()) {
      golden_.features.view().span().back() += 1.0F;
    } else {
      golden_.tokens.back() = (golden_.tokens.back() + 1) % 32;  // of the smallest vocabulary
    }
  }

 private:
  Golden golden_;
  std::size_t positions_;
};

}  // namespace trine::test
