// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>
#include <trine/core/random.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/transformer.hpp>
#include <trine/platform/thread_pool.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "generate/golden_input.hpp"
#include "model/random_model.hpp"
#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using test::Bits;
using test::bits_of;
using test::Golden;
using test::golden_models;
using test::golden_path;
using test::Input;
using test::read_golden;

class SessionPerIsa : public testing::TestWithParam<std::string> {
 protected:
  const Model model_ = Model::load(golden_path(GetParam()));
  Input input_{read_golden(golden_path(GetParam())), model_.info()};
};

// Decode equals prefill: bit for bit, for every row, however the input is cut.
TEST_P(SessionPerIsa, GivesTheSameBitsForAnyChunkingOfTheInput) {
  Session at_once(model_);
  const Bits expected = input_.forward(at_once);
  const CounterRandom random{7};
  for (std::size_t trial = 0; trial < 12; ++trial) {
    Session session(model_);
    Bits found;
    for (std::size_t done = 0; done < input_.pieces();) {
      const std::size_t most = trial == 0 ? 1 : input_.pieces() - done;  // the first trial: piece by piece
      const auto count = 1 + static_cast<std::size_t>(random.uniform(1000 * trial + done) * static_cast<double>(most));
      const Bits rows = input_.forward(session, done, count);
      found.insert(found.end(), rows.begin(), rows.end());
      done += count;
    }
    ASSERT_EQ(found, expected) << "trial " << trial << ", " << to_string(session.isa());
  }
}

TEST_P(SessionPerIsa, GivesTheSameBitsForAnyBatchSize) {
  Session at_once(model_);
  const Bits expected = input_.forward(at_once);
  for (const std::size_t prefill_chunk : {1U, 2U, 3U, 8U, 13U}) {
    Session session(model_, {.prefill_chunk = prefill_chunk});
    ASSERT_EQ(input_.forward(session), expected) << prefill_chunk;
    session.reset();
    const Bits last = input_.forward(session, 0, input_.pieces(), OutputRows::last);
    ASSERT_TRUE(std::equal(last.rbegin(), last.rend(), expected.rbegin())) << "the last row, " << prefill_chunk;
  }
}

TEST_P(SessionPerIsa, GivesTheSameBitsWithAnObserverAndAfterAReset) {
  struct Watching : RoutingObserver {
    void on_routing(const RoutingEvent& event) override { seen += event.plan.tokens + event.plan.scores.size(); }
    [[nodiscard]] bool wants_scores() const override { return true; }
    std::size_t seen = 0;
  } observer;
  Session plain(model_);
  const Bits expected = input_.forward(plain);
  Session watched(model_, {.observer = borrow(observer)});
  EXPECT_EQ(input_.forward(watched), expected);
  EXPECT_GT(observer.seen, 0U);
  for (int pass = 0; pass < 2; ++pass) {
    watched.reset();
    EXPECT_EQ(watched.position(), 0U);
    EXPECT_EQ(input_.forward(watched), expected);
  }
}

TEST_P(SessionPerIsa, GivesEarlierRowsTheSameBitsWhateverComesLater) {
  Session first(model_);
  const Bits before = input_.forward(first);
  input_.change_the_last_piece();
  Session second(model_);
  const Bits after = input_.forward(second);
  const std::size_t row = model_.transformer().head().num_outputs();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end() - static_cast<std::ptrdiff_t>(row), after.begin()));
  EXPECT_NE(before, after) << "the change must be visible where it was made";
}

TEST_P(SessionPerIsa, HoldsAsManyCacheBytesAsTheModelForetold) {
  Session session(model_);
  EXPECT_EQ(session.cache_bytes(), 0U);
  EXPECT_EQ(model_.cache_bytes(0), 0U);
  for (std::size_t done = 0; done < input_.pieces(); ++done) {
    static_cast<void>(input_.forward(session, done, 1));
    EXPECT_EQ(session.position(), (done + 1) * input_.positions_of_a_piece());
    ASSERT_EQ(session.cache_bytes(), model_.cache_bytes(session.position())) << session.position() << " positions";
  }
}

INSTANTIATE_TEST_SUITE_P(All, SessionPerIsa, testing::ValuesIn(golden_models()),
                         [](const auto& parameter) { return parameter.param; });

// Large enough that every product is really cut into tasks.
class LargeModelPerIsa : public testing::Test {
 protected:
  static Json config() {
    return Json::parse(R"({"model_type": "trine", "vocab_size": 512, "hidden_size": 128, "num_hidden_layers": 2,
      "max_position_embeddings": 512, "tie_word_embeddings": false,
      "attention": {"kind": "3d", "head_dim": 16, "frame_size": 16,
        "spatial": {"num_heads": 4, "num_kv_heads": 2, "lookback": 2},
        "temporal": {"num_heads": 4, "num_kv_heads": 1, "pattern": "strided"}},
      "moe": {"num_experts": 6, "intermediate_size": 192, "num_shared_experts": 1,
        "router": {"kind": "attention", "key_dim": 32, "score": "sigmoid", "choice": {"kind": "top_k", "k": 2}},
        "expert_attention": {"num_heads": 2, "head_dim": 16}},
      "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})");
  }
  static std::vector<TokenId> tokens(std::size_t count) {
    std::vector<TokenId> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(static_cast<TokenId>(splitmix64(i) % 512));
    return result;
  }
  const test::RandomModel files_{config(), 1};
  const Model model_ = Model::load(files_.path());
};

TEST_F(LargeModelPerIsa, GivesTheSameBitsOnAnyNumberOfThreads) {
  for (const std::size_t count : {1U, 2U, 5U, 230U}) {
    Session alone(model_, {.num_threads = 1});
    const Bits expected = bits_of(alone.forward(tokens(count), OutputRows::all).span());
    for (const std::size_t threads : {2U, 3U, 8U}) {
      Session session(model_, {.num_threads = threads});
      ASSERT_EQ(bits_of(session.forward(tokens(count), OutputRows::all).span()), expected)
          << threads << " threads, " << count << " tokens, " << to_string(session.isa());
    }
  }
}

// Lends threads that it starts for each region, and comes with none where a test wants that.
class StartsThreads final : public Executor {
 public:
  explicit StartsThreads(std::size_t workers) : workers_(workers) {}
  [[nodiscard]] std::size_t max_workers() const noexcept override { return workers_; }
  void run(std::size_t workers, RegionWork work) override {
    ++regions;
    std::vector<std::jthread> threads;
    for (std::size_t worker = 1; worker < workers; ++worker) {
      threads.emplace_back([=] {
        while (work(worker)) {
        }
      });
    }
    while (work(0)) {
    }
  }
  std::atomic<std::size_t> regions{0};

 private:
  std::size_t workers_;
};

TEST_F(LargeModelPerIsa, GivesTheSameBitsOnThreadsOfTheProgram) {
  Session alone(model_, {.num_threads = 1});
  EXPECT_EQ(alone.executor(), nullptr);
  const Bits expected = bits_of(alone.forward(tokens(40), OutputRows::all).span());
  const auto executor = std::make_shared<StartsThreads>(3);
  Session session(model_, {.executor = executor});
  EXPECT_EQ(session.num_threads(), 3U);
  EXPECT_EQ(bits_of(session.forward(tokens(40), OutputRows::all).span()), expected);
  EXPECT_GT(executor->regions, 0U);
  EXPECT_EQ(session.fork().executor(), executor);
  Session fewer(model_, {.num_threads = 2, .executor = executor});
  EXPECT_EQ(fewer.num_threads(), 2U);
  EXPECT_EQ(bits_of(fewer.forward(tokens(40), OutputRows::all).span()), expected);
}

TEST_F(LargeModelPerIsa, DecodesWhatItPrefillsAcrossRowBlocksAndPages) {
  constexpr std::size_t kCount = 300;  // more than 16 frames and more than 96 rows of one product
  const std::vector<TokenId> text = tokens(kCount);
  Session at_once(model_, {.num_threads = 2});
  const Bits expected = bits_of(at_once.forward(text, OutputRows::all).span());
  Session session(model_, {.num_threads = 2});
  Bits found;
  for (std::size_t done = 0; done < kCount;) {
    const std::size_t count = std::min(kCount - done, done == 0 ? std::size_t{101} : 1 + done % 3);
    const Bits rows = bits_of(session.forward(std::span(text).subspan(done, count), OutputRows::all).span());
    found.insert(found.end(), rows.begin(), rows.end());
    done += count;
  }
  EXPECT_EQ(found, expected);
}

TEST(SessionConcurrency, OneConstModelServesFourThreadsAtOnce) {
  for (const std::string name : {"summary_expert_attention", "grid_strided_regression", "top_p", "hash"}) {
    const Model model = Model::load(golden_path(name));
    const Input input(read_golden(golden_path(name)), model.info());
    Session alone(model, {.num_threads = 1});
    const Bits expected = input.forward(alone);
    std::vector<Bits> found(4);
    std::vector<std::thread> users;
    for (Bits& mine : found) {
      users.emplace_back([&] {
        Session session(model, {.num_threads = 2});
        for (std::size_t done = 0; done < input.pieces(); ++done) {
          const Bits row = input.forward(session, done, 1);
          mine.insert(mine.end(), row.begin(), row.end());
        }
      });
    }
    for (std::thread& user : users) user.join();
    for (const Bits& mine : found) EXPECT_EQ(mine, expected) << name;
  }
}

TEST(Session, GoesOnAfterAMoveAndAfterItsModelHandleIsGone) {
  const Golden golden = read_golden(golden_path("summary"));
  const std::span<const TokenId> tokens(golden.tokens);
  Session reference(Model::load(golden.directory));
  const Bits expected = bits_of(reference.forward(tokens).span());

  std::optional<Model> model = Model::load(golden.directory);
  Session first(*model);
  static_cast<void>(first.forward(tokens.first(10)));
  model.reset();
  Session second(std::move(first));
  static_cast<void>(second.forward(tokens.subspan(10, 10)));
  Session third(Model::load(golden_path("strided")));
  static_cast<void>(third.forward(tokens));
  third = std::move(second);
  EXPECT_EQ(third.position(), 20U);
  EXPECT_EQ(bits_of(third.forward(tokens.subspan(20)).span()), expected);
}

// What the heap may have lost is the affair of LeakSanitizer, which sees this test, too.
TEST(Session, LeavesNothingMappedWhenItWasMovedOrDestroyed) {
  const auto mappings = [](const std::string& name) {
    const std::string path = fs::canonical(golden_path(name) / "weights.bin").string();
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);) count += line.ends_with(path) ? 1U : 0U;
    return count;
  };
  const std::vector<TokenId> tokens{1, 2, 3};
  {
    std::optional<Session> first(Session(Model::load(golden_path("summary"))));
    if (mappings("summary") == 0) GTEST_SKIP() << "this system does not list what is mapped";
    Session second(std::move(*first));
    first.reset();
    static_cast<void>(second.forward(tokens));
    Session third(Model::load(golden_path("strided")));
    static_cast<void>(third.forward(tokens));
    EXPECT_EQ(mappings("strided"), 1U);
    third = std::move(second);
    EXPECT_EQ(mappings("strided"), 0U) << "the session that was assigned to was the last user of its model";
    EXPECT_EQ(mappings("summary"), 1U);
  }
  EXPECT_EQ(mappings("summary"), 0U);
}

TEST(Session, GivesTheSameBitsWhetherTheWeightsAreMappedOrRead) {
  const Golden golden = read_golden(golden_path("summary_expert_attention"));
  LoadOptions options;
  options.access = FileAccess::read;
  Session mapped(Model::load(golden.directory));
  Session read(Model::load(golden.directory, options));
  EXPECT_EQ(bits_of(mapped.forward(golden.tokens).span()), bits_of(read.forward(golden.tokens).span()));
}

// Calls `at` for each layer in turn.
class CallingObserver : public RoutingObserver {
 public:
  explicit CallingObserver(std::function<void(std::size_t)> at) : at_(std::move(at)) {}
  void on_routing(const RoutingEvent& event) override {
    layers.push_back(event.layer);
    at_(event.layer);
  }
  std::vector<std::size_t> layers;

 private:
  std::function<void(std::size_t)> at_;
};

TEST(Session, StopsBeforeTheNextLayerWhenItIsCancelled) {
  const std::vector<std::pair<std::string, std::size_t>> places{{"summary", 0}, {"summary", 1}, {"hash", 1}};
  for (const auto& [name, layer] : places) {
    const Golden golden = read_golden(golden_path(name));
    const Model model = Model::load(golden.directory);
    Session fresh(model);
    const Bits expected = bits_of(fresh.forward(golden.tokens).span());
    std::stop_source stop;
    bool armed = true;
    CallingObserver observer([&, wanted = layer](std::size_t at) {
      if (armed && at == wanted) stop.request_stop();
    });
    Session session(model, {.observer = borrow(observer)});
    EXPECT_ERROR(session.forward(golden.tokens, OutputRows::last, stop.get_token()), CancelledError, "cancelled");
    ASSERT_FALSE(observer.layers.empty());
    EXPECT_EQ(observer.layers.back(), layer) << "no layer after the one that asked for the end";

    armed = false;
    EXPECT_ERROR(session.forward(golden.tokens), InputError,
                 "interrupted in the middle of a pass: call truncate() or reset() first");
    EXPECT_ERROR(session.forward(golden.tokens), InputError, "call truncate() or reset() first");
    session.reset();
    EXPECT_EQ(bits_of(session.forward(golden.tokens).span()), expected);
  }
}

TEST(Session, DoesNothingWhenItWasCancelledBefore) {
  const Golden golden = read_golden(golden_path("hash"));
  std::stop_source stop;
  stop.request_stop();
  CallingObserver observer([](std::size_t) {});
  Session session(Model::load(golden.directory), {.observer = borrow(observer)});
  EXPECT_ERROR(session.forward(golden.tokens, OutputRows::last, stop.get_token()), CancelledError, "cancelled");
  EXPECT_TRUE(observer.layers.empty());
}

TEST(Session, LetsTheExceptionOfAnObserverThroughAndAsksForAReset) {
  const Golden golden = read_golden(golden_path("summary"));
  bool armed = true;
  CallingObserver observer([&](std::size_t layer) {
    if (armed && layer == 1) throw std::domain_error("enough");
  });
  Session session(Model::load(golden.directory), {.observer = borrow(observer)});
  EXPECT_THROW(static_cast<void>(session.forward(golden.tokens)), std::domain_error);
  armed = false;
  EXPECT_ERROR(session.forward(golden.tokens), InputError, "call truncate() or reset() first");
  session.reset();
  Session fresh(session.model());
  EXPECT_EQ(bits_of(session.forward(golden.tokens).span()), bits_of(fresh.forward(golden.tokens).span()));
}

TEST(Session, SaysByHowMuchTheSequenceIsTooLongAndIsUnharmed) {
  const Golden golden = read_golden(golden_path("summary"));
  const std::span<const TokenId> tokens(golden.tokens);
  const Model model = Model::load(golden.directory);
  Session session(model, {.context_length = 20});
  EXPECT_EQ(session.context_length(), 20U);
  static_cast<void>(session.forward(tokens.first(15)));
  EXPECT_ERROR(session.forward(tokens.subspan(15, 8)), CapacityError,
               "the sequence is 3 positions too long: expected at most 20, found 15 and 8 more");
  Session roomy(model);
  const Bits expected = bits_of(roomy.forward(tokens.first(20)).span());
  EXPECT_EQ(bits_of(session.forward(tokens.subspan(15, 5)).span()), expected);
  EXPECT_ERROR(session.forward(tokens.subspan(20, 1)), CapacityError, "1 positions too long");
  session.reset();
  EXPECT_ERROR(session.forward(tokens.first(21)), CapacityError, "found 0 and 21 more");
}

// Layer 1 is broken: 2 experts of 4 make NaN of every row that they serve.
class NotFinite : public testing::Test {
 protected:
  static Model broken() {
    test::RandomModel files(Json::parse(R"({"model_type": "trine", "vocab_size": 64, "hidden_size": 32,
      "num_hidden_layers": 3, "max_position_embeddings": 64, "tie_word_embeddings": false,
      "attention": {"kind": "full", "head_dim": 8, "num_heads": 2, "num_kv_heads": 1},
      "moe": {"num_experts": 4, "intermediate_size": 16,
        "router": {"kind": "hash", "k": 1, "seed": 1}},
      "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})"),
                            1);
    for (const char* expert : {"0", "1"})
      std::ranges::fill(files.tensor(std::string("layers.1.moe.experts.") + expert + ".down_proj.weight"),
                        std::numeric_limits<float>::infinity());
    files.write();
    LoadOptions options;
    options.access = FileAccess::read;
    return Model::load(files.path(), options);
  }
  // A token that the experts of a layer leave finite, and one that they do not.
  static std::pair<TokenId, TokenId> good_and_bad(const Model& model) {
    std::optional<TokenId> good;
    std::optional<TokenId> bad;
    for (TokenId id = 0; id < 64 && !(good && bad); ++id) {
      Session session(model);
      try {
        static_cast<void>(session.forward(std::span(&id, 1)));
        good = id;
      } catch (const NumericError&) {
        bad = id;
      }
    }
    return {good.value(), bad.value()};
  }
};

TEST_F(NotFinite, OutputsOfOneSequenceLeaveTheOthersAlone) {
  const Model model = broken();
  const auto [good, bad] = good_and_bad(model);
  Sequence broken_one(model);
  Sequence sound(model);
  Engine engine(model);
  const std::vector<SequenceInput> inputs{{.sequence = &broken_one, .tokens = std::span(&bad, 1)},
                                          {.sequence = &sound, .tokens = std::span(&good, 1)}};
  const std::span<const SequenceOutput> outputs = engine.forward(inputs);
  EXPECT_EQ(outputs[0].non_finite, 64U);
  EXPECT_ERROR(outputs[0].require_finite(), NumericError, "position 0: expected finite outputs, found none among 64");
  EXPECT_TRUE(broken_one.is_interrupted());
  EXPECT_EQ(outputs[1].non_finite, 0U);
  EXPECT_NO_THROW(outputs[1].require_finite());
  Session alone(model);
  EXPECT_EQ(bits_of(outputs[1].outputs.span()), bits_of(alone.forward(std::span(&good, 1)).span()));
  EXPECT_FALSE(sound.is_interrupted());
}

TEST_F(NotFinite, OutputsAreAnErrorThatNamesThePositionAndTheLayer) {
  const Model model = broken();
  const auto [good, bad] = good_and_bad(model);
  Session session(model);
  const std::vector<TokenId> tokens{good, good, bad};
  EXPECT_EQ(session.forward(std::span(tokens).first(2)).extent(0), 1U);
  EXPECT_EQ(session.non_finite_outputs(), 0U);
  EXPECT_ERROR(session.forward(std::span(tokens).subspan(2)), NumericError,
               "position 2: expected finite outputs, found none among 64; the hidden row of position 2 is not finite "
               "after layer 1");
  EXPECT_EQ(session.non_finite_outputs(), 64U);
  EXPECT_ERROR(session.forward(tokens), InputError, "call truncate() or reset() first");
  session.truncate(2);
  static_cast<void>(session.forward(std::span(tokens).first(1)));
  EXPECT_EQ(session.position(), 3U);
}

// What one position makes, all after it see; the first hidden row that was seen to be so is named.
TEST_F(NotFinite, RowsAreFoundInWhateverRowTheyArise) {
  const Model model = broken();
  const auto [good, bad] = good_and_bad(model);
  const std::vector<TokenId> tokens{good, bad, good, good, good};
  Session all(model, {.prefill_chunk = 3});
  EXPECT_ERROR(all.forward(tokens, OutputRows::all), NumericError,
               "position 1: expected finite outputs, found none among 64; the hidden row of position 2 is not finite "
               "after layer 2");
  Session last(model, {.prefill_chunk = 2});
  EXPECT_ERROR(last.forward(tokens), NumericError,
               "position 4: expected finite outputs, found none among 64; the hidden row of position 1 is not finite "
               "after layer 1");
}

TEST(Session, NamesATokenThatTheVocabularyDoesNotHave) {
  Session session(Model::load(golden_path("summary")));
  for (const TokenId id : {TokenId{64}, TokenId{4294967295U}}) {
    const std::vector<TokenId> tokens{1, 2, id, 3};
    EXPECT_ERROR(session.forward(tokens), InputError, "token 2: expected an id below 64, found " + std::to_string(id));
  }
  EXPECT_EQ(session.position(), 0U);
  EXPECT_ERROR(session.forward({}), InputError, "expected at least one token or frame, found none");
  const std::vector<TokenId> good{1, 2, 63};
  EXPECT_EQ(session.forward(good).shape(), (std::array<std::size_t, 2>{1, 64}));
}

TEST(Session, TellsTokensFromFeatures) {
  const auto features = test::random_tensor({2, 7, 5}, 1);
  Session text(Model::load(golden_path("summary")));
  EXPECT_ERROR(text.forward_features(features.view()), InputError, "this model takes tokens, not features");
  Session grid(Model::load(golden_path("grid_classification")));
  const std::vector<TokenId> tokens{1, 2, 3};
  EXPECT_ERROR(grid.forward(tokens), InputError, "this model takes features, not tokens");
  const auto wrong = test::random_tensor({2, 6, 5}, 1);
  EXPECT_ERROR(grid.forward_features(wrong.view()), ShapeError, "features: expected shape [2, 7, 5], found [2, 6, 5]");
  EXPECT_ERROR(grid.forward_features(features.view().slice(0, 0)), InputError, "expected at least one token or frame");
  EXPECT_EQ(grid.forward_features(features.view(), OutputRows::all).extent(0), 2U);
  EXPECT_EQ(grid.forward_features(features.view()).extent(0), 1U);
}

TEST(Session, DemandsWholeFramesWhereOutputsBelongToFrames) {
  const Golden golden = read_golden(golden_path("tokens_classification"));
  Session session(Model::load(golden.directory));
  const std::span<const TokenId> tokens(golden.tokens);
  EXPECT_ERROR(session.forward(tokens.first(9)), InputError, "expected whole frames of 8 positions, found 9 positions");
  EXPECT_EQ(session.forward(tokens.first(16), OutputRows::all).extent(0), 2U);
}

TEST(Session, RefusesOptionsOutOfRange) {
  const Model model = Model::load(golden_path("summary"));
  EXPECT_ERROR(Session(model, {.context_length = 257}), InputError,
               "context_length: expected at most 256, the max_position_embeddings of the model, found 257");
  EXPECT_ERROR(Session(model, {.num_threads = 1025}), InputError, "num_threads: expected at most 1024, found 1025");
  EXPECT_ERROR(Session(model, {.prefill_chunk = 0}), InputError, "prefill_chunk: expected at least 1, found 0");
  const Session session(model);
  EXPECT_EQ(session.context_length(), 256U);
  EXPECT_EQ(session.num_threads(), default_threads());
}

TEST(Session, NeedsNoMoreScratchMemoryAfterTheFirstPassOfASize) {
  const Golden golden = read_golden(golden_path("summary"));
  const std::span<const TokenId> tokens(golden.tokens);
  Session session(Model::load(golden.directory));
  static_cast<void>(session.forward(tokens));
  const std::size_t held = session.workspace_bytes();
  EXPECT_GT(held, 0U);
  session.reset();
  for (const TokenId& token : tokens) static_cast<void>(session.forward(std::span(&token, 1)));
  EXPECT_LE(session.workspace_bytes(), held);
}

}  // namespace
}  // namespace trine
