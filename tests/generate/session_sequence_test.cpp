// SPDX-License-Identifier: Apache-2.0
// What one can do with the sequence of a session: fork, go back, save and go on, keep it in fewer bits.
#include <trine/core/error.hpp>
#include <trine/core/random.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/platform/available_memory.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "generate/golden_input.hpp"
#include "model/random_model.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using test::Bits;
using test::golden_models;
using test::golden_path;
using test::Input;

class SequencePerIsa : public testing::TestWithParam<std::string> {
 protected:
  // The bits of the pieces from `first` on of a session that has seen those before.
  Bits rest(Session& session, std::size_t first) { return input_.forward(session, first, input_.pieces() - first); }

  const Model model_ = Model::load(golden_path(GetParam()));
  Input input_{test::read_golden(golden_path(GetParam())), model_.info()};
  test::TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(All, SequencePerIsa, testing::ValuesIn(golden_models()),
                         [](const auto& parameter) { return parameter.param; });
// Their states are recurrent.
INSTANTIATE_TEST_SUITE_P(Recurrent, SequencePerIsa,
                         testing::Values("families/lfm2_moe", "families/qwen3_next", "families/qwen3_next_variants",
                                         "families/qwen3_5_moe"),
                         [](const auto& parameter) { return parameter.param.substr(9); });

TEST_P(SequencePerIsa, ForksIntoSequencesThatDoNotSeeEachOther) {
  const std::size_t half = input_.pieces() / 2;
  Session session(model_);
  input_.forward(session, 0, half);
  Session fork = session.fork();
  EXPECT_EQ(fork.position(), session.position());
  EXPECT_EQ(fork.cache_bytes(), session.cache_bytes());
  Input other = input_;
  other.change_the_last_piece();
  const Bits changed = other.forward(fork, half, other.pieces() - half);
  const Bits expected = rest(session, half);
  EXPECT_NE(changed, expected);
  Session alone(model_);
  other.forward(alone, 0, half);
  EXPECT_EQ(other.forward(alone, half, other.pieces() - half), changed);
  Session plain(model_);
  input_.forward(plain, 0, half);
  EXPECT_EQ(rest(plain, half), expected);
}

TEST_P(SequencePerIsa, GoesBackToAnyLength) {
  const std::size_t piece = input_.positions_of_a_piece();
  Session whole(model_);
  const Bits all = input_.forward(whole);
  const std::size_t row = all.size() / input_.pieces();
  for (std::size_t length = 0; length < input_.pieces(); length += 1 + input_.pieces() / 9) {
    Session session(model_);
    input_.forward(session);
    try {
      session.truncate(length * piece);
    } catch (const InputError&) {
      ASSERT_NE(model_.info().num_features, 0U);  // what was forgotten cannot be computed again without features
      EXPECT_EQ(session.position(), input_.pieces() * piece);
      continue;
    }
    EXPECT_EQ(session.position(), length * piece);
    EXPECT_EQ(session.cache_bytes(), model_.cache_bytes(length * piece)) << length;
    const Bits again = rest(session, length);
    ASSERT_TRUE(std::equal(again.begin(), again.end(), all.begin() + static_cast<std::ptrdiff_t>(length * row)))
        << "back to " << length;
  }
}

TEST_P(SequencePerIsa, GoesOnFromAFile) {
  const std::size_t half = input_.pieces() / 2;
  for (const auto& [type, name] : kKvCacheDtypeNames) {
    Session session(model_, {.kv_cache_dtype = type});
    input_.forward(session, 0, half);
    const fs::path path = directory_.path() / (std::string(name) + ".session");
    session.save(path);
    session.save(path);  // once more, over the old one
    const Bits expected = rest(session, half);
    Session other(model_);
    other.restore(path);
    EXPECT_EQ(other.position(), half * input_.positions_of_a_piece());
    EXPECT_EQ(other.kv_cache_dtype(), type);
    ASSERT_EQ(rest(other, half), expected) << name;
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()), 1);
    fs::remove(path);
  }
}

// Chunking, batches and threads change no bit, whatever the type of the caches.
TEST_P(SequencePerIsa, KeepsItsBitsWithCachesOfFewerBits) {
  for (const KvCacheDtype type : {KvCacheDtype::bf16, KvCacheDtype::q8}) {
    Session at_once(model_, {.kv_cache_dtype = type});
    const Bits expected = input_.forward(at_once);
    EXPECT_EQ(at_once.cache_bytes(), model_.cache_bytes(at_once.position(), type));
    Session session(model_, {.num_threads = 3, .prefill_chunk = 3, .kv_cache_dtype = type});
    Bits found;
    for (std::size_t piece = 0; piece < input_.pieces(); ++piece) {
      const Bits row = input_.forward(session, piece, 1);
      found.insert(found.end(), row.begin(), row.end());
    }
    ASSERT_EQ(found, expected) << to_string(type);
  }
}

class Sequence : public testing::Test {
 protected:
  static Json config() {
    Json config = Json::parse(R"({"model_type": "trine", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
      "max_position_embeddings": 512, "tie_word_embeddings": true,
      "attention": {"kind": "3d", "head_dim": 16, "frame_size": 8,
        "spatial": {"num_heads": 2, "num_kv_heads": 1, "lookback": 1},
        "temporal": {"num_heads": 2, "num_kv_heads": 1, "pattern": "summary"}},
      "moe": {"num_experts": 4, "intermediate_size": 32, "num_shared_experts": 0,
        "router": {"kind": "attention", "key_dim": 8, "score": "sigmoid", "choice": {"kind": "top_k", "k": 2}},
        "expert_attention": {"num_heads": 1, "head_dim": 8}},
      "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})");
    return config;
  }
  static std::vector<TokenId> tokens(std::size_t count) {
    std::vector<TokenId> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(static_cast<TokenId>(splitmix64(i) % 64));
    return result;
  }
  std::string bytes_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path write(const std::string& bytes) {
    const fs::path path = directory_.path() / "changed.session";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  const test::RandomModel files_{config(), 1};
  const test::RandomModel other_files_{config(), 2};
  const Model model_ = Model::load(files_.path());
  const Model other_ = Model::load(other_files_.path());
  test::TemporaryDirectory directory_;
};

TEST_F(Sequence, SharesItsPagesWithForks) {
  Session session(model_);
  session.forward(tokens(200));
  const Session fork = session.fork();
  EXPECT_EQ(fork.tokens().size(), 200U);
  session.reset();
  EXPECT_EQ(session.cache_bytes(), 0U);
  EXPECT_EQ(fork.cache_bytes(), model_.cache_bytes(200));
}

TEST_F(Sequence, ForksWorkInTheirOwnThreadsConcurrency) {
  Session session(model_, {.num_threads = 1});
  session.forward(tokens(100));
  std::vector<Session> forks;
  for (int i = 0; i < 4; ++i) forks.push_back(session.fork());
  std::vector<Bits> bits(forks.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < forks.size(); ++i)
    threads.emplace_back([&, i] { bits[i] = test::bits_of(forks[i].forward(tokens(40), OutputRows::all).span()); });
  for (std::thread& thread : threads) thread.join();
  const Bits expected = test::bits_of(session.forward(tokens(40), OutputRows::all).span());
  for (const Bits& found : bits) EXPECT_EQ(found, expected);
}

TEST_F(Sequence, GoesBackAfterAnInterruption) {
  Session plain(model_);
  plain.forward(tokens(30));
  const Bits expected = test::bits_of(plain.forward(tokens(20), OutputRows::all).span());
  for (const std::size_t length : {30U, 29U, 3U}) {
    Session session(model_);
    session.forward(tokens(30));
    std::stop_source stop;
    stop.request_stop();
    EXPECT_ERROR(session.forward(tokens(20), OutputRows::last, stop.get_token()), CancelledError, "cancelled");
    EXPECT_ERROR(session.save(directory_.path() / "x.session"), InputError, "was interrupted");
    session.truncate(length);
    EXPECT_EQ(session.position(), length);
    const std::vector<TokenId> all = tokens(30);
    if (length < 30) session.forward(std::span(all).subspan(length));
    EXPECT_EQ(test::bits_of(session.forward(tokens(20), OutputRows::all).span()), expected) << length;
  }
}

// Appended tokens wait for the next pass, which gives the bits that all tokens at once give.
TEST_F(Sequence, ComputesAppendedTokensWithTheNextPass) {
  const std::vector<TokenId> all = tokens(30);
  Session plain(model_);
  const Bits expected = test::bits_of(plain.forward(all, OutputRows::all).span());
  const std::size_t row = expected.size() / all.size();
  const auto last_rows = [&](std::size_t count) {
    return Bits(expected.end() - static_cast<std::ptrdiff_t>(count * row), expected.end());
  };
  const auto part = [&](std::size_t begin, std::size_t end) { return std::span(all).subspan(begin, end - begin); };
  Session session(model_);
  session.append(part(0, 3));
  EXPECT_EQ(session.position(), 0U);
  EXPECT_EQ(session.tokens().size(), 3U);
  session.forward(part(3, 20));
  EXPECT_EQ(session.position(), 20U);
  session.append(part(20, 21));
  session.append(part(21, 22));
  Session fork = session.fork();
  EXPECT_EQ(test::bits_of(session.forward(part(22, 30)).span()), last_rows(1));
  EXPECT_EQ(test::bits_of(fork.forward(part(22, 30), OutputRows::all).span()), last_rows(8)) << "rows of what it got";
  EXPECT_TRUE(std::ranges::equal(fork.tokens(), all));
  fork.truncate(20);
  fork.append(part(20, 30));
  EXPECT_EQ(test::bits_of(fork.forward({}).span()), last_rows(1));
  fork.truncate(20);
  fork.append(part(20, 30));
  EXPECT_EQ(test::bits_of(fork.forward({}, OutputRows::all).span()), last_rows(10));
}

TEST_F(Sequence, ForgetsAppendedTokensFirst) {
  Session session(model_);
  session.forward(tokens(5));
  session.append(tokens(3));
  session.truncate(7);
  EXPECT_EQ(session.tokens().size(), 7U);
  EXPECT_ERROR(session.truncate(8), InputError, "length: expected at most 5, the positions seen, found 8");
  session.truncate(session.position());
  EXPECT_EQ(session.tokens().size(), 5U);
  session.append(tokens(3));
  session.truncate(4);
  EXPECT_EQ(session.tokens().size(), 4U);
  session.append(tokens(3));
  session.reset();
  EXPECT_TRUE(session.tokens().empty());
}

TEST_F(Sequence, SavesAppendedTokensComputed) {
  const fs::path path = directory_.path() / "a.session";
  const std::vector<TokenId> all = tokens(20);
  Session session(model_, {.context_length = 19});
  session.forward(std::span(all).first(15));
  session.append(std::span(all).subspan(15, 2));
  session.save(path);
  EXPECT_EQ(session.position(), 17U);
  Session other(model_);
  other.restore(path);
  EXPECT_TRUE(std::ranges::equal(other.tokens(), std::span(all).first(17)));
  const Bits next = test::bits_of(session.forward(std::span(all).subspan(17, 1)).span());
  EXPECT_EQ(test::bits_of(other.forward(std::span(all).subspan(17, 1)).span()), next);

  session.append(std::span(all).subspan(18, 2));  // one more than the context has room for
  session.save(path);
  EXPECT_EQ(session.position(), 19U);
  EXPECT_TRUE(std::ranges::equal(session.tokens(), all));
  other.restore(path);
  EXPECT_TRUE(std::ranges::equal(other.tokens(), std::span(all).first(19)));
}

TEST_F(Sequence, RefusesAppendedTokensThatItCannotCompute) {
  const std::vector<TokenId> unknown{1, 64};
  Session session(model_, {.context_length = 5});
  EXPECT_ERROR(session.append(unknown), InputError, "token 1: expected an id below 64, found 64");
  session.append(tokens(6));
  EXPECT_ERROR(session.forward({}), CapacityError, "the sequence is 1 positions too long");
  EXPECT_EQ(session.tokens().size(), 6U) << "nothing was done";
  session.truncate(5);
  EXPECT_NO_THROW(session.forward({}));
  EXPECT_ERROR(session.forward({}), InputError, "expected at least one token or frame, found none");
  Session whole_frames(Model::load(golden_path("tokens_classification")));
  if (whole_frames.model().info().whole_frames)
    EXPECT_ERROR(whole_frames.append(tokens(1)), InputError, "append: this model takes whole frames");
  Session features(Model::load(golden_path("grid_rules")));
  EXPECT_ERROR(features.append(tokens(1)), InputError, "this model takes features, not tokens");
}

TEST_F(Sequence, RefusesToGoForwardByGoingBack) {
  Session session(model_);
  session.forward(tokens(5));
  EXPECT_ERROR(session.truncate(6), InputError, "length: expected at most 5, the positions seen, found 6");
}

TEST_F(Sequence, RefusesFilesOfOtherModels) {
  Session session(model_);
  session.forward(tokens(5));
  session.save(directory_.path() / "a.session");
  Session other(other_);
  other.forward(tokens(3));
  EXPECT_ERROR(other.restore(directory_.path() / "a.session"), FileError, "that of the model and its adapters, found");
  EXPECT_EQ(other.position(), 3U) << "as it was";
  EXPECT_NE(model_.fingerprint(), other_.fingerprint());
  EXPECT_EQ(model_.fingerprint(), Model::load(files_.path()).fingerprint());
}

// Chunks change what a model remembers, though not its weights.
TEST_F(Sequence, RefusesFilesOfTheSameModelInOtherChunks) {
  Json full = config();
  full["attention"] = {{"kind", "full"}, {"head_dim", 8}, {"num_heads", 2}, {"num_kv_heads", 1}};
  const test::RandomModel files(full, 1);
  const auto load = [&](std::optional<Chunking> chunking) {
    LoadOptions options;
    options.chunking = chunking;
    return Model::load(files.path(), options);
  };
  Session session(load(Chunking{16, 4}));
  session.forward(tokens(5));
  session.save(directory_.path() / "a.session");
  Session same(load(Chunking{16, 4}));
  same.restore(directory_.path() / "a.session");
  for (const std::optional<Chunking> other : {std::optional<Chunking>(), std::optional(Chunking{16, 0})}) {
    Session session_of_other(load(other));
    EXPECT_ERROR(session_of_other.restore(directory_.path() / "a.session"), FileError,
                 "that of the model and its adapters, found");
  }
}

TEST_F(Sequence, RefusesWhatDoesNotFitTheContext) {
  Session session(model_);
  session.forward(tokens(50));
  session.save(directory_.path() / "a.session");
  Session small(model_, {.context_length = 49});
  EXPECT_ERROR(small.restore(directory_.path() / "a.session"), CapacityError,
               "a sequence of 50 positions, the context has room for 49");
}

// Also what is longer than the context serves with what it has in common with the prompt. Windows have forgotten what
// comes before, and are computed again.
TEST_F(Sequence, GoesOnFromThePrefixOfALongerFile) {
  Json full = config();
  full["attention"] = {{"kind", "full"}, {"head_dim", 8}, {"num_heads", 2}, {"num_kv_heads", 1}};
  const test::RandomModel full_files(full, 1);
  for (const Model& model : {model_, Model::load(full_files.path())}) {
    const fs::path path = directory_.path() / "a.session";
    Session session(model, {.kv_cache_dtype = KvCacheDtype::bf16});
    session.forward(tokens(200));
    session.save(path);
    std::vector<TokenId> prompt = tokens(40);
    for (const std::size_t same : {40U, 39U, 17U, 0U}) {
      if (same < 40) prompt[same] ^= 1U;
      Session small(model, {.context_length = 60, .kv_cache_dtype = KvCacheDtype::bf16});
      EXPECT_EQ(small.restore_prefix(path, prompt), same);
      EXPECT_EQ(small.position(), same);
      EXPECT_TRUE(std::ranges::equal(small.tokens(), std::span(prompt).first(same)));
      EXPECT_EQ(small.cache_bytes(), model.cache_bytes(same, KvCacheDtype::bf16));
      Session alone(model, {.context_length = 60, .kv_cache_dtype = KvCacheDtype::bf16});
      if (same > 0) alone.forward(std::span(prompt).first(same));
      const std::vector<TokenId> more = tokens(60 - same);
      EXPECT_EQ(test::bits_of(small.forward(more, OutputRows::all).span()),
                test::bits_of(alone.forward(more, OutputRows::all).span()))
          << same;
    }
    Session small(model, {.context_length = 60});
    EXPECT_EQ(small.restore_prefix(path, tokens(300)), 60U) << "no more than the context";
    EXPECT_ERROR(small.restore_prefix(directory_.path() / "none", prompt), FileError, "none: cannot be opened");
    EXPECT_EQ(small.position(), 60U) << "as it was";
  }
}

// Every byte counts: cut anywhere or changed anywhere, a file is refused, and the session is as it was.
TEST_F(Sequence, RefusesDamagedFiles) {
  Session session(model_);
  session.forward(tokens(20));
  session.save(directory_.path() / "a.session");
  const std::string good = bytes_of(directory_.path() / "a.session");
  Session victim(model_);
  for (std::size_t size = 0; size < good.size(); size += 1 + good.size() / 60)
    EXPECT_THROW(victim.restore(write(good.substr(0, size))), FileError) << size;
  EXPECT_THROW(victim.restore(write(good + "x")), FileError);
  for (std::size_t i = 0; i < good.size(); i += i < 200 ? 1 : 1 + good.size() / 300) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    EXPECT_THROW(victim.restore(write(bad)), FileError) << "byte " << i;
  }
  EXPECT_ERROR(victim.restore(directory_.path() / "none.session"), FileError, "none.session: cannot be opened");
  EXPECT_EQ(victim.position(), 0U);
  victim.restore(write(good));
  EXPECT_EQ(victim.position(), 20U);
}

TEST_F(Sequence, LeavesNoFileBehindThatItCouldNotWrite) {
  Session session(model_);
  session.forward(tokens(5));
  EXPECT_ERROR(session.save(directory_.path() / "no such folder" / "a.session"), FileError,
               "a.session: cannot be written: No such file");
  fs::create_directory(directory_.path() / "folder");
  EXPECT_ERROR(session.save(directory_.path() / "folder"), FileError, "folder: cannot be written: Is a directory");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()), 1);
}

TEST_F(Sequence, IsSavedToOneFileByManyAtOnce) {
  const fs::path path = directory_.path() / "a.session";
  std::atomic<int> failures = 0;
  const auto save = [&](std::size_t length) {
    Session session(model_, {.num_threads = 1});
    session.forward(tokens(length));
    for (int i = 0; i < 20; ++i) {
      try {
        session.save(path);
        session.restore(path);  // whole, whoever wrote it
      } catch (const Error&) {
        ++failures;
      }
    }
  };
  {
    std::vector<std::jthread> writers;
    for (const std::size_t length : {5U, 9U, 13U}) writers.emplace_back(save, length);
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()), 1);
}

TEST_F(Sequence, RefusesACacheThatDoesNotFitTheMemory) {
  constexpr std::size_t kMost = std::size_t{1} << 22U;
  Json large = config();
  large["max_position_embeddings"] = kMost;
  large["attention"]["head_dim"] = 256;
  large["attention"]["temporal"] = {{"num_heads", 32}, {"num_kv_heads", 32}, {"pattern", "strided"}};
  const test::RandomModel files(large, 1);
  const Model model = Model::load(files.path());
  const std::size_t needed = model.cache_bytes(kMost);
  ASSERT_GT(needed, std::size_t{1} << 39U);  // half a terabyte
  const std::optional<std::uint64_t> available = available_memory();
  if (!available || *available > needed) GTEST_SKIP();
  EXPECT_ERROR(Session(model, {.context_length = kMost}), CapacityError,
               "the caches of 4194304 positions need " + std::to_string(needed) + " bytes more, available are ");
  Session session(model);  // whose context nobody asked for
  session.forward(tokens(5));
}

}  // namespace
}  // namespace trine
