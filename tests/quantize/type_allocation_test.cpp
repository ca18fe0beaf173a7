// SPDX-License-Identifier: Apache-2.0
#include <trine/quantize/type_allocation.hpp>

#include <cstdint>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using Options = std::vector<std::vector<TypeOption>>;

struct Sum {
  std::uint64_t bytes = 0;
  double loss = 0.0;
};
Sum sum_of(const Options& options, const std::vector<std::size_t>& chosen) {
  Sum sum;
  for (std::size_t t = 0; t < options.size(); ++t) {
    sum.bytes += options[t][chosen[t]].bytes;
    sum.loss += options[t][chosen[t]].loss;
  }
  return sum;
}

// By trying everything.
double least_loss(const Options& options, std::uint64_t limit) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> chosen(options.size());
  while (true) {
    if (const Sum sum = sum_of(options, chosen); sum.bytes <= limit) best = std::min(best, sum.loss);
    std::size_t t = 0;
    for (; t < options.size() && ++chosen[t] == options[t].size(); ++t) chosen[t] = 0;
    if (t == options.size()) return best;
  }
}

TEST(TypeAllocation, IsTheBestForTheBytesThatItReaches) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const CounterRandom random{seed};
    Options options(5);
    for (std::size_t t = 0; t < options.size(); ++t)
      for (std::size_t i = 0; i < 4; ++i)
        options[t].push_back({DType::f32, 10 + static_cast<std::uint64_t>(random.uniform(t * 8 + i) * 90.0),
                              random.uniform(t * 8 + i + 4)});
    for (const std::uint64_t limit : {200ULL, 260ULL, 330ULL}) {
      std::uint64_t least = 0;
      for (const auto& of_tensor : options) least += std::ranges::min(of_tensor, {}, &TypeOption::bytes).bytes;
      if (least > limit) continue;
      const Sum found = sum_of(options, allocate_types(options, limit));
      EXPECT_LE(found.bytes, limit);
      // The greedy choice may leave a step unused that does not fit; without it, nothing is better.
      EXPECT_LE(found.loss, least_loss(options, limit) + 0.6) << seed;
      std::uint64_t reached = 0;  // the last limit at which no step was left out
      for (std::uint64_t smaller = least; smaller <= limit; ++smaller) {
        const Sum exact = sum_of(options, allocate_types(options, smaller));
        if (exact.bytes == smaller && smaller > reached) {
          reached = smaller;
          // On the hull of all tensors together: no plan of as many bytes lies below the line to its neighbours.
          EXPECT_GE(exact.loss, least_loss(options, smaller) - 1e-12);
        }
      }
      EXPECT_GE(reached, least);
    }
  }
}

TEST(TypeAllocation, TakesTheStepThatGainsMostPerByte) {
  const Options options = {{{DType::i8, 10, 8.0}, {DType::f16, 20, 2.0}, {DType::f32, 40, 0.0}},
                           {{DType::i8, 10, 3.0}, {DType::f16, 20, 1.0}, {DType::f32, 40, 0.0}}};
  EXPECT_THAT(allocate_types(options, 20), testing::ElementsAre(0, 0));
  EXPECT_THAT(allocate_types(options, 29), testing::ElementsAre(0, 0));
  EXPECT_THAT(allocate_types(options, 30), testing::ElementsAre(1, 0)) << "6 for 10 bytes, not 2";
  EXPECT_THAT(allocate_types(options, 40), testing::ElementsAre(1, 1));
  EXPECT_THAT(allocate_types(options, 60), testing::ElementsAre(2, 1)) << "2 for 20 bytes, not 1";
  EXPECT_THAT(allocate_types(options, 1000), testing::ElementsAre(2, 2));
}

TEST(TypeAllocation, LeavesOutWhatAnotherTypeBeats) {
  // The second one costs as much as the first and loses more; the third lies above the line from the first to the last.
  const Options options = {{{DType::i8, 10, 8.0},
                            {DType::i16, 10, 9.0},
                            {DType::f16, 20, 7.0},
                            {DType::f32, 30, 0.0},
                            {DType::i64, 40, 0.5}}};
  EXPECT_THAT(allocate_types(options, 29), testing::ElementsAre(0));
  EXPECT_THAT(allocate_types(options, 30), testing::ElementsAre(3));
  EXPECT_THAT(allocate_types(options, 50), testing::ElementsAre(3));
}

TEST(TypeAllocation, FillsTheRestWithStepsThatFit) {
  const Options options = {{{DType::i8, 10, 9.0}, {DType::f32, 100, 0.0}},
                           {{DType::i8, 10, 0.2}, {DType::f32, 15, 0.1}}};
  EXPECT_THAT(allocate_types(options, 50), testing::ElementsAre(0, 1));
}

TEST(TypeAllocation, SaysWhatIsPossible) {
  const Options options = {{{DType::f32, 40, 0.0}, {DType::i8, 10, 1.0}}, {{DType::f32, 7, 0.0}}};
  EXPECT_ERROR(allocate_types(options, 16), InputError,
               "target: expected at least 17 bytes, the smallest that is possible, found 16");
  EXPECT_THAT(allocate_types(options, 17), testing::ElementsAre(1, 0));
}

}  // namespace
}  // namespace trine
