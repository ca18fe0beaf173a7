// SPDX-License-Identifier: Apache-2.0
// tests/models/engine_test.cpp compares the bits of all architectures; here is what a call promises beside them.
#include <trine/core/error.hpp>
#include <trine/generate/engine.hpp>
#include <trine/routing/router_decorators.hpp>

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "generate/golden_input.hpp"
#include "support/expect_error.hpp"
#include "support/golden.hpp"

namespace trine::test {
namespace {

class EngineTest : public testing::Test {
 protected:
  const Golden golden_ = read_golden(golden_path("summary"));
  const Model model_ = Model::load(golden_.directory);
  const std::vector<TokenId> tokens_ = golden_.tokens;
  Engine engine_{model_, {.num_threads = 2}};
};

// Counts rows, by sequence.
struct Counts : RoutingObserver {
  void on_routing(const RoutingEvent& event) override {
    if (event.layer == 0) rows[event.sequence] += event.plan.tokens;
    EXPECT_EQ(event.input.positions.size(), event.plan.tokens);
    EXPECT_EQ(event.input.token_ids.size(), event.plan.tokens);
  }
  std::map<std::uint64_t, std::size_t> rows;
};

TEST_F(EngineTest, NamesEachSequenceToItsObserver) {
  const auto shared = std::make_shared<Counts>();
  const auto own = std::make_shared<Counts>();
  Sequence a(model_, {.id = 7, .observer = shared});
  Sequence b(model_, {.id = 8, .observer = shared});
  Sequence c(model_, {.id = 9, .observer = own});
  Sequence unwatched(model_);
  const std::span<const TokenId> tokens(tokens_);
  engine_.forward(std::vector<SequenceInput>{{.sequence = &a, .tokens = tokens.first(3)},
                                             {.sequence = &unwatched, .tokens = tokens.first(5)},
                                             {.sequence = &b, .tokens = tokens.first(1)},
                                             {.sequence = &c, .tokens = tokens.first(4)}});
  EXPECT_THAT(shared->rows, testing::ElementsAre(std::pair(7U, 3U), std::pair(8U, 1U)));
  EXPECT_THAT(own->rows, testing::ElementsAre(std::pair(9U, 4U)));
}

TEST_F(EngineTest, DoesNothingWhereOneOfTheInputsIsWrong) {
  Sequence good(model_);
  Sequence small(model_, {.context_length = 2});
  const Model other_model = Model::load(golden_.directory);
  Sequence other(other_model);
  const auto forward = [&](SequenceInput second) {
    engine_.forward(std::vector<SequenceInput>{{.sequence = &good, .tokens = tokens_}, second});
  };
  EXPECT_ERROR(forward({.sequence = &small, .tokens = tokens_}), CapacityError, "positions too long");
  EXPECT_ERROR(forward({.sequence = nullptr, .tokens = tokens_}), InputError, "expected a sequence, found none");
  EXPECT_ERROR(forward({.sequence = &good, .tokens = tokens_}), InputError, "expected each sequence once");
  EXPECT_ERROR(forward({.sequence = &other, .tokens = tokens_}), InputError, "found one of another");
  EXPECT_ERROR(forward({.sequence = &small}), InputError, "expected at least one token or frame, found none");
  const std::vector<TokenId> unknown{1U << 30U};
  EXPECT_ERROR(forward({.sequence = &small, .tokens = unknown}), InputError, "token 0: expected an id below");
  EXPECT_EQ(good.position(), 0U);
  EXPECT_FALSE(good.is_interrupted());
  EXPECT_EQ(engine_.forward(std::vector<SequenceInput>{}).size(), 0U);
}

TEST_F(EngineTest, GivesASequenceBackUsableAfterACancelledPass) {
  Sequence a(model_);
  Sequence b(model_);
  const std::span<const TokenId> tokens(tokens_);
  engine_.forward(std::vector<SequenceInput>{{.sequence = &a, .tokens = tokens.first(3)}});
  std::stop_source stop;
  stop.request_stop();
  const std::vector<SequenceInput> inputs{{.sequence = &a, .tokens = tokens.subspan(3, 1)},
                                          {.sequence = &b, .tokens = tokens.first(2)}};
  EXPECT_ERROR(engine_.forward(inputs, stop.get_token()), CancelledError, "cancelled");
  EXPECT_TRUE(a.is_interrupted());
  EXPECT_TRUE(b.is_interrupted());
  EXPECT_ERROR(engine_.forward(inputs), InputError, "interrupted in the middle of a pass");
  EXPECT_TRUE(a.truncate(3));
  b.reset();
  const std::span<const SequenceOutput> outputs = engine_.forward(inputs);
  Sequence fresh(model_);
  Engine another(model_);
  EXPECT_EQ(bits_of(outputs[0].outputs.span()),
            bits_of(another.forward(std::vector<SequenceInput>{{.sequence = &fresh, .tokens = tokens.first(4)}})
                        .front()
                        .outputs.span()));
}

TEST_F(EngineTest, ForksWithRoutersAndAnObserverOfTheirOwn) {
  const auto watcher = std::make_shared<Counts>();
  const auto forced = [](std::uint32_t expert) -> RouterDecoratorFactory {
    return [expert](std::size_t, std::unique_ptr<Router> router) {
      return std::make_unique<ForcedExperts>(std::move(router), std::vector<std::uint32_t>{expert});
    };
  };
  const std::span<const TokenId> tokens(tokens_);
  Sequence original(model_, {.observer = watcher});
  engine_.forward(std::vector<SequenceInput>{{.sequence = &original, .tokens = tokens.first(3)}});
  Sequence plain = original.fork();
  Sequence first = original.fork({.router_decorator = forced(0)});
  Sequence second = original.fork({.router_decorator = forced(1)});
  Sequence again = first.fork();                                                // the routers of the fork
  Sequence freed = first.fork({.router_decorator = RouterDecoratorFactory()});  // those of the model
  std::vector<SequenceInput> inputs;
  for (Sequence* sequence : {&original, &plain, &first, &second, &again, &freed})
    inputs.push_back({.sequence = sequence, .tokens = tokens.subspan(3, 2), .rows = OutputRows::all});
  const std::span<const SequenceOutput> outputs = engine_.forward(inputs);
  const auto bits = [&](std::size_t i) { return bits_of(outputs[i].outputs.span()); };
  EXPECT_EQ(bits(0), bits(1));
  EXPECT_NE(bits(0), bits(2));
  EXPECT_NE(bits(2), bits(3));
  EXPECT_EQ(bits(2), bits(4));
  EXPECT_EQ(bits(0), bits(5));
  EXPECT_THAT(watcher->rows, testing::ElementsAre(std::pair(0U, 5U))) << "forks are not watched unless that is asked";
  EXPECT_ERROR(original.fork({.router_decorator = forced(99)}), InputError, "forced experts: expected experts below");
  EXPECT_ERROR(original.fork({.router_decorator = [](std::size_t, std::unique_ptr<Router>) -> std::unique_ptr<Router> {
    return nullptr;
  }}),
               InputError, "router of layer 0: expected one, found none");
}

}  // namespace
}  // namespace trine::test
