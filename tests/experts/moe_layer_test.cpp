// SPDX-License-Identifier: Apache-2.0
#include <trine/experts/local_experts.hpp>
#include <trine/experts/moe_layer.hpp>

#include <bit>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "nn/layers_in_memory.hpp"
#include "support/expect_error.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::add_matrix;
using test::random_tensor;
using test::naive::Matrix;

constexpr std::size_t kHidden = 20;
constexpr std::size_t kWidth = 11;
constexpr std::size_t kExperts = 4;

// Token at position p gets p mod 4 experts, so some get none: weights 1, 1/2, 1/3.
class Staggered : public Router {
 public:
  explicit Staggered(std::size_t experts = kExperts) : experts_(experts) {}
  [[nodiscard]] std::size_t num_experts() const override { return experts_; }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return 3; }
  [[nodiscard]] static std::size_t expert(std::size_t position, std::size_t i) { return (position * 5 + i) % kExperts; }
  void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override {
    for (const std::size_t position : input.positions) {
      for (std::size_t i = 0; i < position % 4; ++i) plan.add(expert(position, i), 1.0F / static_cast<float>(i + 1));
      plan.end_token();
    }
  }

 private:
  std::size_t experts_;
};

class MoeLayerPerIsa : public testing::Test {
 protected:
  struct Mlp {
    Matrix gate, up, down;
    [[nodiscard]] std::vector<double> operator()(const Matrix& x, std::size_t row) const {
      Matrix one(1, x.columns);
      for (std::size_t i = 0; i < x.columns; ++i) one(0, i) = x(row, i);
      Matrix inner = test::naive::matmul(one, gate);
      const Matrix factor = test::naive::matmul(one, up);
      for (std::size_t i = 0; i < inner.values.size(); ++i)
        inner.values[i] = test::naive::silu(inner.values[i]) * factor.values[i];
      return test::naive::matmul(inner, down).values;
    }
  };

  MoeLayerPerIsa() {
    for (std::size_t e = 0; e < kExperts; ++e) experts_.push_back(add_mlp("experts." + std::to_string(e), 10 * e));
    shared_.push_back(add_mlp("shared", 100));
  }
  Mlp add_mlp(const std::string& name, std::uint64_t seed) {
    return {add_matrix(weights_, name + ".gate_proj.weight", kWidth, kHidden, seed + 1),
            add_matrix(weights_, name + ".up_proj.weight", kWidth, kHidden, seed + 2),
            add_matrix(weights_, name + ".down_proj.weight", kHidden, kWidth, seed + 3)};
  }
  [[nodiscard]] MoeLayer make(bool with_shared, std::unique_ptr<const Router> router) {
    const WeightScope scope(reader_);
    std::optional<GatedMlp> shared;
    if (with_shared) shared.emplace(scope / "shared", kHidden, kWidth);
    return MoeLayer(3, std::move(router), std::make_unique<LocalExperts>(scope / "experts", kExperts, kHidden, kWidth),
                    std::nullopt, std::move(shared));
  }
  Tensor<float, 2> run(const MoeLayer& layer, View<const float, 2> x, std::size_t first_position,
                       std::size_t threads = 1) {
    std::vector<std::size_t> positions;
    for (std::size_t t = 0; t < x.extent(0); ++t) positions.push_back(first_position + t);
    const ExecutionContext execution{.isa = default_isa(), .num_threads = threads, .executor = test::test_executor()};
    Tensor<float, 2> y({x.extent(0), kHidden});
    layer.forward({.execution = execution, .workspace = workspace_, .batch = {{}, positions}, .plan = &plan_}, x,
                  y.view());
    return y;
  }

  test::MemoryWeights weights_;
  WeightReader reader_{weights_};
  std::vector<Mlp> experts_, shared_;
  Workspace workspace_;
  RoutingPlan plan_;
};

TEST_F(MoeLayerPerIsa, IsTheWeightedSumOfTheChosenExpertsAndTheSharedOnes) {
  const auto x = random_tensor({14, kHidden}, 5);
  const Matrix rows = Matrix::from(x.view());
  for (const bool with_shared : {false, true}) {
    const MoeLayer layer = make(with_shared, std::make_unique<Staggered>());
    const Tensor<float, 2> y = run(layer, x.view(), 0, 2);
    for (std::size_t t = 0; t < 14; ++t) {
      std::vector<double> expected(kHidden);
      for (std::size_t i = 0; i < t % 4; ++i) {
        const auto output = experts_[Staggered::expert(t, i)](rows, t);
        for (std::size_t h = 0; h < kHidden; ++h) expected[h] += output[h] / static_cast<double>(i + 1);
      }
      if (with_shared) {
        const auto output = shared_.front()(rows, t);
        for (std::size_t h = 0; h < kHidden; ++h) expected[h] += output[h];
      }
      for (std::size_t h = 0; h < kHidden; ++h)  // sums of twenty and of eleven numbers of size 1 to 10
        ASSERT_NEAR(static_cast<double>(y.view()(t, h)), expected[h], 5e-5) << t << ", " << h;
    }
  }
}

TEST_F(MoeLayerPerIsa, GivesARowTheSameBitsAloneAndAmongOthers) {
  const MoeLayer layer = make(true, std::make_unique<Staggered>());
  const auto x = random_tensor({60, kHidden}, 6);
  const Tensor<float, 2> all = run(layer, x.view(), 0, 3);
  for (const std::size_t rows : {1U, 2U, 7U, 30U}) {
    for (std::size_t first = 0; first + rows <= 60; first += rows) {
      const Tensor<float, 2> some = run(layer, x.view().slice(first, rows), first);
      for (std::size_t i = 0; i < some.size(); ++i) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(some.view().span()[i]),
                  std::bit_cast<std::uint32_t>(all.view().slice(first, rows).span()[i]))
            << rows << " rows from " << first;
      }
    }
  }
}

TEST_F(MoeLayerPerIsa, CountsWhatOneTokenUses) {
  const MoeLayer layer = make(true, std::make_unique<Staggered>());
  constexpr std::size_t kExpert = 3 * kHidden * kWidth;
  EXPECT_EQ(layer.parameters(), 5 * kExpert);
  EXPECT_EQ(layer.active_parameters(), 4 * kExpert);
  EXPECT_EQ(layer.num_experts(), kExperts);
}

TEST_F(MoeLayerPerIsa, RefusesARouterThatForgetsATokenOrCountsOtherExperts) {
  class Forgetful : public Staggered {
    void route(const ForwardContext&, const RouterInput&, RoutingPlan& plan) const override { plan.end_token(); }
  };
  const MoeLayer layer = make(false, std::make_unique<Forgetful>());
  const auto x = random_tensor({3, kHidden}, 7);
  EXPECT_ERROR(run(layer, x.view(), 0), InputError, "router of layer 3: expected a choice for 3 tokens, found 1");
  EXPECT_ERROR(make(false, nullptr), InputError, "router of layer 3: expected one, found none");
  EXPECT_ERROR(make(false, std::make_unique<Staggered>(9)), InputError,
               "router of layer 3: expected one for 4 experts, found one for 9");
}

}  // namespace
}  // namespace trine
