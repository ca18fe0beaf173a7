// SPDX-License-Identifier: Apache-2.0
// How much memory a conversion takes: every allocation of this test program is counted.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>
#include <malloc.h>

#include <trine/quantize/quantize_model.hpp>

#include "model/random_model.hpp"
#include "support/temporary_directory.hpp"

namespace {

std::atomic<std::size_t> allocated{0};
std::atomic<std::size_t> most_allocated{0};

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const std::size_t now = allocated += ::malloc_usable_size(memory);
  for (std::size_t most = most_allocated; most < now && !most_allocated.compare_exchange_weak(most, now);) continue;
  return memory;
}
void release(void* memory) noexcept {
  if (memory != nullptr) allocated -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(std::malloc(std::max<std::size_t>(bytes, 1))); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(unit, (std::max<std::size_t>(bytes, 1) + unit - 1) / unit * unit));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace trine {
namespace {

TEST(QuantizeMemory, IsAFewMegabytesHoweverLargeATensorIs) {
  // Embedding and head of 16 MiB each, in a model of 33 MiB.
  const Json config = {{"model_type", "trine"},
                       {"vocab_size", 16384},
                       {"hidden_size", 256},
                       {"num_hidden_layers", 1},
                       {"max_position_embeddings", 64},
                       {"attention", {{"kind", "full"}, {"head_dim", 32}, {"num_heads", 2}, {"num_kv_heads", 1}}},
                       {"moe",
                        {{"num_experts", 2},
                         {"intermediate_size", 32},
                         {"router", {{"kind", "softmax_top_k"}, {"choice", {{"kind", "top_k"}, {"k", 1}}}}}}},
                       {"input", {{"kind", "tokens"}}},
                       {"output", {{"kind", "language_model"}}}};
  const test::RandomModel model(config, 1);
  const test::TemporaryDirectory place;
  for (const DType type : {kQ8, kQ4, DType::bf16, DType::f32}) {
    const std::size_t before = allocated;
    most_allocated = before;
    {
      const ModelQuantizer quantizer(model.path());
      const auto plan = quantizer.plan(type);
      quantizer.write(plan, place.path() / std::string(to_string(type)), {.num_threads = 2});
    }
    const std::size_t peak = most_allocated - before;
    EXPECT_LT(peak, std::size_t{12} << 20U) << to_string(type);
    if (type == DType::f32) continue;  // copied
    EXPECT_GT(peak, std::size_t{1} << 20U) << "what is counted is not what is used";
  }
}

}  // namespace
}  // namespace trine
