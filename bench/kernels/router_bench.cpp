// SPDX-License-Identifier: Apache-2.0
// Routers at the shapes of published models, rows per second: the product with a gate in f32, which stays in the
// caches, the choice, and the sorting by expert.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <trine/routing/linear_router.hpp>

#include "rotated_weights.hpp"

namespace trine::bench {
namespace {

struct NamedRouter {
  const char* name;
  std::size_t hidden;
  std::size_t experts;
  RouterScore score;
  TopKOptions choice;
  CombineWeights combine;
  std::optional<GroupLimit> groups = std::nullopt;
  bool balance_bias = false;
};
const NamedRouter kRouters[] = {
    {"mixtral_8x7b", 4096, 8, RouterScore::softmax, {.k = 2, .threshold = {}}, {.normalize = true}},
    {"qwen3_30b_a3b", 2048, 128, RouterScore::softmax, {.k = 8, .threshold = {}}, {.normalize = true}},
    {"deepseek_v2_lite", 2048, 64, RouterScore::softmax, {.k = 6, .threshold = {}}, {.normalize = false}},
    {"deepseek_v3",
     7168,
     256,
     RouterScore::sigmoid,
     {.k = 8, .threshold = {}},
     {.normalize = true, .routed_scale = 2.5F},
     GroupLimit{.n_group = 8, .topk_group = 4, .best_of = 2},
     true}};

void route(benchmark::State& state, const NamedRouter& shape, std::size_t rows) {
  const std::vector<float> gate = random_values(shape.experts * shape.hidden);
  std::vector<float> x = random_values(rows * shape.hidden, 2);
  for (float& value : x) value /= 16.0F;  // logits of a few units
  std::optional<Tensor<float, 1>> bias;
  if (shape.balance_bias) bias.emplace(std::array{shape.experts});
  const Linear weight({reinterpret_cast<const std::byte*>(gate.data()), DType::f32, shape.experts, shape.hidden});
  const LinearRouter router(weight, shape.score, shape.choice, shape.combine, shape.groups, std::move(bias));
  const ExecutionContext execution{.isa = default_isa(), .num_threads = 1};
  RouterInput input;
  input.hidden = View<const float, 2>(x.data(), {rows, shape.hidden});
  Workspace workspace;
  RoutingPlan plan;
  for (auto _ : state) {
    plan.start(shape.experts);
    router.route({execution, workspace}, input, plan);
    plan.sort_by_expert();
    benchmark::DoNotOptimize(plan.slot.data());
  }
  const auto routed = static_cast<double>(rows) * static_cast<double>(state.iterations());
  state.counters["rows/s"] = benchmark::Counter(routed, benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  for (const NamedRouter& shape : kRouters) {
    for (const std::size_t rows : {1U, 512U}) {
      const std::string name = std::string("router/") + shape.name + "/rows:" + std::to_string(rows);
      benchmark::RegisterBenchmark(name.c_str(), route, shape, rows)->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
