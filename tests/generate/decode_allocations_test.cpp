// SPDX-License-Identifier: Apache-2.0
// Decode allocates nothing, but for a page of a cache that begins. Counted by operators new of our own, which
// sanitizers bring, too.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/engine.hpp>

#include "support/golden.hpp"
#include "support/random_adapter.hpp"
#include "support/temporary_directory.hpp"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {
std::atomic<std::size_t> allocations{0};
void* counted(void* memory) {
  ++allocations;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void release(void* memory) noexcept { std::free(memory); }
}  // namespace

void* operator new(std::size_t bytes) { return counted(std::malloc(std::max<std::size_t>(bytes, 1))); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto multiple = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(multiple, (bytes + multiple - 1) / multiple * multiple));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace trine::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> token_models() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories()) names.push_back(directory.filename().string());
  for (const fs::path& directory : golden_directories(fs::path(TRINE_TEST_DATA) / "families"))
    names.push_back("families/" + directory.filename().string());
  std::erase_if(names, [](const std::string& name) {
    const ModelInfo& info = Model::load(fs::path(TRINE_TEST_DATA) / name).info();
    return info.num_features != 0 || info.whole_frames || info.max_position_embeddings < 32;
  });
  return names;
}

class DecodeAllocations : public testing::TestWithParam<std::string> {};

void expect_none(const Model& model, const std::vector<AdapterUse>& of_a, const std::vector<AdapterUse>& of_b) {
  Engine engine(model, {.num_threads = 2});
  Sequence a(model, {.adapters = of_a});
  Sequence b(model, {.adapters = of_b});
  const TokenId token = 1;
  std::vector<SequenceInput> inputs{{.sequence = &a, .tokens = std::span(&token, 1)},
                                    {.sequence = &b, .tokens = std::span(&token, 1)}};
  std::size_t steps = 0;
  std::size_t pages = 0;
  for (std::size_t position = 0; position < 32; ++position) {
    const std::size_t bytes = a.cache_bytes();
    const bool tokens_grow = a.tokens().size() == 0 || std::has_single_bit(a.tokens().size());  // as vectors do
    const std::size_t before = allocations;
    static_cast<void>(engine.forward(inputs));
    const std::size_t now = allocations - before;
    if (position < 2 || tokens_grow) continue;  // memory grows to what a step needs
    if (a.cache_bytes() != bytes) {
      ++pages;
      continue;
    }
    EXPECT_EQ(now, 0U) << "position " << position;
    ++steps;
  }
  EXPECT_GT(steps, pages) << "most steps begin no page";
}

// Two sequences, so that their rows are gathered.
TEST_P(DecodeAllocations, AreNone) { expect_none(Model::load(fs::path(TRINE_TEST_DATA) / GetParam()), {}, {}); }

TEST_P(DecodeAllocations, AreNoneWithAdapters) {
  const Model model = Model::load(fs::path(TRINE_TEST_DATA) / GetParam());
  const TemporaryDirectory directory;
  write_random_adapter(model, 4, 1, 0.02F, directory);
  const Adapter adapter = Adapter::load(model, directory.path());
  expect_none(model, {{adapter}, {adapter, -0.5F}}, {{adapter, 2.0F}});
}

INSTANTIATE_TEST_SUITE_P(All, DecodeAllocations, testing::ValuesIn(token_models()), [](const auto& parameter) {
  std::string name = parameter.param;
  std::ranges::replace(name, '/', '_');
  return name;
});

}  // namespace
}  // namespace trine::test

#endif
