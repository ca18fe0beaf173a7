// SPDX-License-Identifier: Apache-2.0
// Adapters come and go while other sequences of the model run.
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/session.hpp>

#include "support/random_adapter.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

std::vector<float> logits_of(Session& session, std::vector<AdapterUse> adapters) {
  session.reset();
  session.set_adapters(std::move(adapters));
  const std::vector<TokenId> tokens{1, 5, 2, 7};
  const auto rows = session.forward(tokens, OutputRows::all);
  return {rows.span().begin(), rows.span().end()};
}

TEST(AdapterConcurrency, OneHandleInManyThreadsWhileOthersAreLoadedAndDropped) {
  const Model model = Model::load(std::filesystem::path(TRINE_TEST_DATA) / "families" / "olmoe");
  const TemporaryDirectory directory;
  write_random_adapter(model, 2, 1, 0.1F, directory);
  const Adapter shared = Adapter::load(model, directory.path());
  Session first(model, {.num_threads = 1});
  const std::vector<float> base = logits_of(first, {});
  const std::vector<float> adapted = logits_of(first, {{shared}});
  ASSERT_NE(base, adapted);

  std::vector<std::thread> threads;
  std::vector<int> failures(4);
  for (std::size_t t = 0; t < failures.size(); ++t) {
    threads.emplace_back([&, t] {
      Session session(model, {.num_threads = 1});
      for (int i = 0; i < 4; ++i) {
        std::optional<Adapter> own = Adapter::load(model, directory.path());
        failures[t] += static_cast<int>(logits_of(session, {{shared}}) != adapted);
        std::vector<AdapterUse> uses{{*own}};
        own.reset();  // the session keeps what it uses
        failures[t] += static_cast<int>(logits_of(session, std::move(uses)) != adapted);
        failures[t] += static_cast<int>(logits_of(session, {}) != base);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, std::vector<int>(4));
}

}  // namespace
}  // namespace trine::test
