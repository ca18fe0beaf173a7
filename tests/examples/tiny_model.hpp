// SPDX-License-Identifier: Apache-2.0
// A golden model with what a language model needs besides: a tokenizer, whose token i is the i-th character of an
// alphabet of 64, and a self-test made of the golden logits.
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "examples/run_program.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {

inline constexpr std::string_view kAlphabet = " \nABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

[[nodiscard]] inline std::string text_of(const std::vector<std::uint32_t>& tokens) {
  std::string text;
  for (const auto id : tokens) text += kAlphabet[id];
  return text;
}

class TinyModel {
 public:
  explicit TinyModel(const std::string& golden_case = "summary_expert_attention")
      : golden_(read_golden(std::filesystem::path(TRINE_TEST_DATA) / golden_case)) {
    for (const char* name : {"config.json", "weights.json", "weights.bin"})
      std::filesystem::copy_file(golden_.directory / name, path() / name);
    directory_.write("tokenizer.json", tokenizer().dump());
    directory_.write("self_test.json", self_test().dump());
  }

  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  [[nodiscard]] std::string name() const { return path().string(); }
  [[nodiscard]] const Golden& golden() const { return golden_; }
  /// The golden tokens as text.
  [[nodiscard]] std::string text() const { return text_of(golden_.tokens); }
  void write(const char* file, std::string_view content) const { directory_.write(file, content); }
  /// NaN in place of `count` values of a tensor from the `first` on.
  void poison(const std::string& tensor, std::size_t first, std::size_t count) const {
    const auto entry = nlohmann::json::parse(read_whole(path() / "weights.json")).at("tensors").at(tensor);
    std::string bytes = read_whole(path() / "weights.bin");
    const std::size_t size = entry.at("dtype") == "f32" ? 4 : 2;
    const std::string nan = size == 4 ? std::string("\0\0\xc0\x7f", 4) : "\xc0\x7f";
    for (std::size_t i = first; i < first + count; ++i)
      bytes.replace(entry.at("offset").get<std::size_t>() + i * size, size, nan);
    directory_.write("weights.bin", bytes);
  }
  /// Adds a tensor that no model has a place for.
  void add_tensor(const std::string& name) const {
    auto manifest = nlohmann::json::parse(read_whole(path() / "weights.json"));
    std::string bytes = read_whole(path() / "weights.bin");
    bytes.resize((bytes.size() + 63) / 64 * 64);
    manifest["tensors"][name] = {{"dtype", "f32"}, {"shape", {16}}, {"offset", bytes.size()}, {"nbytes", 64}};
    bytes.resize(bytes.size() + 64);
    manifest["nbytes"] = bytes.size();
    directory_.write("weights.json", manifest.dump());
    directory_.write("weights.bin", bytes);
  }
  [[nodiscard]] nlohmann::json config() const { return nlohmann::json::parse(read_whole(path() / "config.json")); }

  [[nodiscard]] nlohmann::json self_test() const {
    nlohmann::json one = {{"tokens", golden_.tokens}, {"experts", nlohmann::json::object()}};
    for (const auto& [layer, experts] : golden_.experts) one["experts"][std::to_string(layer)] = experts;
    for (std::size_t t = 0; t < golden_.tokens.size(); ++t) {
      const auto row = golden_.logits.view().row(t);
      std::vector<std::uint32_t> ids(row.size());
      std::iota(ids.begin(), ids.end(), 0U);
      one["top_logits"].push_back(
          {{"position", t}, {"ids", ids}, {"logits", std::vector<float>(row.begin(), row.end())}});
    }
    return {{"format", "trine-self-test"}, {"version", 1}, {"cases", {one}}};
  }

 private:
  static nlohmann::json tokenizer() {
    nlohmann::json vocabulary;
    for (std::size_t i = 2; i < kAlphabet.size(); ++i) vocabulary[std::string(1, kAlphabet[i])] = i;
    vocabulary["\u0120"] = 0;  // space and line break as a byte-level vocabulary writes them
    vocabulary["\u010A"] = 1;
    return {
        {"version", "1.0"},
        {"added_tokens", nlohmann::json::array()},
        {"pre_tokenizer",
         {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
        {"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
        {"model", {{"type", "BPE"}, {"unk_token", "9"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}};
  }

  TemporaryDirectory directory_;
  Golden golden_;
};

}  // namespace trine::test
