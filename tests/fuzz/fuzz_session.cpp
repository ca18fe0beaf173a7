// SPDX-License-Identifier: Apache-2.0
// A session file with changes: a sequence to go on from, or one of our errors. Input: a byte that says whether the sum
// is put right afterwards, two bytes that say how long the file is, then changes of three bytes of place and one of
// value.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <trine/core/hash.hpp>
#include <trine/generate/session.hpp>
#include <trine/generate/session_format.hpp>
#include <trine/model/transformer.hpp>

#include "model/random_model.hpp"
#include "support/temporary_directory.hpp"

namespace {

trine::Json config() {
  return trine::Json::parse(R"({"model_type": "trine", "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 1,
    "max_position_embeddings": 64, "tie_word_embeddings": true,
    "attention": {"kind": "3d", "head_dim": 4, "frame_size": 4,
      "spatial": {"num_heads": 1, "num_kv_heads": 1, "lookback": 1},
      "temporal": {"num_heads": 1, "num_kv_heads": 1, "pattern": "summary"}},
    "moe": {"num_experts": 2, "intermediate_size": 8, "num_shared_experts": 0,
      "router": {"kind": "attention", "key_dim": 4, "score": "sigmoid", "choice": {"kind": "top_k", "k": 1}},
      "expert_attention": {"num_heads": 1, "head_dim": 4}},
    "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})");
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The sum of a file of as many positions as the good one has.
void put_right(std::string& file, const trine::Model& model, std::size_t positions, std::size_t good_size) {
  if (file.size() != good_size) return;
  trine::Hash hash;
  std::size_t at = 0;
  const auto add = [&](std::size_t count) {
    hash.add(std::string_view(file).substr(at, count));
    at += count;
  };
  add(sizeof(trine::detail::SessionHeader));
  add(positions * sizeof(trine::TokenId));
  trine::SequenceCache cache = model.transformer().make_cache();
  trine::detail::for_session_tables(model, positions, cache, [&](const trine::PageTable& table, std::size_t pages) {
    for (std::size_t page = 0; page < pages; ++page) add(table.page_bytes());
  });
  const std::uint64_t sum = hash.value();
  std::memcpy(file.data() + at, &sum, sizeof sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  static const trine::test::RandomModel files(config(), 1);
  static const trine::Model model = trine::Model::load(files.path());
  static const std::string good = [] {
    trine::Session session(model, {.num_threads = 1});
    static_cast<void>(session.forward(std::vector<trine::TokenId>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
    session.save(directory.path() / "good");
    return read(directory.path() / "good");
  }();
  if (size < 3) return 0;
  std::string file = good;
  const std::size_t length = data[1] | static_cast<std::size_t>(data[2]) << 8U;
  if (length != 0) file.resize(length);
  for (std::size_t i = 3; i + 4 <= size; i += 4) {
    const std::size_t place = data[i] | static_cast<std::size_t>(data[i + 1]) << 8U;
    if (place < file.size()) file[place] = static_cast<char>(data[i + 3]);
  }
  if ((data[0] & 1U) != 0) put_right(file, model, 9, good.size());
  const std::filesystem::path path = directory.write("changed", file);
  trine::Session session(model, {.num_threads = 1});
  try {
    session.restore(path);
    static_cast<void>(session.forward(std::vector<trine::TokenId>{1, 2, 3}));
    session.truncate(session.position() / 2);
  } catch (const trine::Error&) {
  }
  return 0;
}
