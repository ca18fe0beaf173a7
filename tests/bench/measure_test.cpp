// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include <trine/json/parse.hpp>
#include <trine/model/transformer.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/quant/weight_formats.hpp>

#include "program/measure.hpp"
#include "program/random_weights.hpp"

namespace trine::bench {
namespace {

TEST(Statistics, OfFourNumbersByHand) {
  const Statistics statistics = statistics_of({4.0, 1.0, 3.0, 2.0});
  EXPECT_DOUBLE_EQ(statistics.mean, 2.5);
  EXPECT_DOUBLE_EQ(statistics.stddev, std::sqrt(5.0 / 3.0));
  EXPECT_DOUBLE_EQ(statistics.median, 2.5);
  EXPECT_DOUBLE_EQ(statistics.min, 1.0);
  EXPECT_DOUBLE_EQ(statistics.max, 4.0);
  EXPECT_DOUBLE_EQ(statistics_of({3.0, 9.0, 1.0}).median, 3.0);
  EXPECT_DOUBLE_EQ(statistics_of({7.0}).stddev, 0.0);
}

TEST(Workload, IsNamedAsLlamaBenchNamesIt) {
  EXPECT_EQ(Workload::prefill(512).name(), "pp512");
  EXPECT_EQ(Workload::decode(64).name(), "tg64");
  EXPECT_EQ(Workload::batch(8, 64).name(), "b8");
  EXPECT_EQ(Workload::batch(24, 64).tokens, 48U) << "whole calls";
  EXPECT_EQ(Workload::batch(100, 64).tokens, 100U) << "at least one";
}

// 64 tokens that touch 32 GB and take 640 G operations, on a machine of 15 and 17 GB/s, 60 and 68 G operations a
// second: 2 s and 10 s.
TEST(Result, IsComparedWithTheLimitThatBindsIt) {
  Result result{.test = Workload::prefill(64)};
  result.tokens_per_second = {2.0, 3.2, 9.0};
  result.before = {15.0, 60.0};
  result.after = {17.0, 68.0};
  result.giga_operations = 640.0;
  result.touched_gb = 32.0;
  EXPECT_FALSE(result.bound_by_memory());
  EXPECT_DOUBLE_EQ(result.most_tokens_per_second(), 6.4);
  EXPECT_DOUBLE_EQ(result.share(), 0.5) << "of the median";
  EXPECT_DOUBLE_EQ(result.touched_bytes_per_token(), 0.5e9);
  result.giga_operations = 64.0;
  EXPECT_TRUE(result.bound_by_memory()) << "what allows less";
  EXPECT_DOUBLE_EQ(result.most_tokens_per_second(), 32.0);
  EXPECT_DOUBLE_EQ(result.share(), 0.1);
}

TEST(Limits, ArePositiveForEveryCountOfThreadsAndStreams) {
  const StreamReader reader(std::size_t{8} << 20U);
  EXPECT_EQ(reader.bytes(), std::size_t{8} << 20U);
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    const StreamRead read = reader.measure(threads, 1);
    EXPECT_THAT(read.gb_per_second, ::testing::Each(::testing::Gt(0.0)));
    EXPECT_THAT(kStreamCounts, ::testing::Contains(read.best_streams()));
    EXPECT_DOUBLE_EQ(read.best(), std::ranges::max(read.gb_per_second));
    const ArithmeticPeak peak = measure_arithmetic_peak(threads);
    EXPECT_GT(peak.f32, 0.0);
    EXPECT_GT(peak.bf16, 0.0);
    EXPECT_GT(peak.int8, 0.0);
  }
}

// Every loop that this machine can run counts what it does: 24 chains of 16 lanes and so on, all of them summed up.
TEST(Limits, LoopsEndWithTheValueThatTheirArithmeticHas) {
  EXPECT_FLOAT_EQ(detail::f32_portable(100).result, 10 * 0.5F) << "x = x / 2 + 1 / 4 tends to 1 / 2";
#if TRINE_X86
  if (is_available(Isa::avx2)) {
    EXPECT_FLOAT_EQ(detail::f32_avx2(100).result, 12 * 0.5F);
    EXPECT_DOUBLE_EQ(detail::int8_avx2(100).operations, 100.0 * 10 * 32 * 2);
  }
  if (is_available(Isa::avx512)) {
    EXPECT_FLOAT_EQ(detail::f32_avx512(100).result, 24 * 0.5F);
  }
  if (is_available(Isa::avx512_vnni)) {
    int sums = 0;  // chain i ends at i + 100 * 4 * 5 * 3
    for (int i = 0; i < 24; ++i) sums ^= i + 6000;
    EXPECT_FLOAT_EQ(detail::int8_vnni(100).result, static_cast<float>(sums));
  }
  if (is_available(Isa::avx512_bf16)) {
    float sums = 0.0F;  // chain i ends at i + 100 * 2 / 4
    for (int i = 0; i < 24; ++i) sums += static_cast<float>(i) + 50.0F;
    EXPECT_FLOAT_EQ(detail::bf16_avx512(100).result, sums);
  }
  if (is_available(Isa::amx)) {
    EXPECT_FLOAT_EQ(detail::int8_amx(100).result, 400.0F) << "four products of ones a round";
    EXPECT_DOUBLE_EQ(detail::int8_amx(100).operations, 100.0 * 4 * 16 * 16 * 64 * 2);
    EXPECT_FLOAT_EQ(detail::bf16_amx(100).result, 50.0F) << "two products of halves a round";
    EXPECT_DOUBLE_EQ(detail::bf16_amx(100).operations, 100.0 * 4 * 16 * 16 * 32 * 2);
  }
#endif
}

TEST(Meter, CountsOperationsAndRunsEveryRepetition) {
  const Json config = config_of(kShapes[0], 2, true);
  Meter meter(Model::build(config, "config",
                           std::make_unique<RandomWeights>(tensors_of(config), DType::bf16, 1, [](std::size_t) {})),
              {.repetitions = 3, .limit_passes = 1}, std::size_t{8} << 20U);
  std::size_t runs = 0;
  const auto run = [&](Workload test) { return meter.run(test, {}, [&] { ++runs; }); };
  const Result prefill = run(Workload::prefill(16));
  EXPECT_EQ(runs, 4U) << "and one to warm up";
  EXPECT_THAT(prefill.tokens_per_second, ::testing::SizeIs(3));
  const auto head = 512.0 * 128.0;
  const auto others = static_cast<double>(meter.model().transformer().active_parameters()) - head;
  EXPECT_DOUBLE_EQ(prefill.giga_operations * 1e9, 2.0 * (16.0 * others + head));
  const Result decode = run(Workload::decode(4));
  EXPECT_DOUBLE_EQ(decode.giga_operations * 1e9, 2.0 * 4.0 * (others + head));
  const double one_token = static_cast<double>(meter.weights().always() + 3 * meter.weights().expert(1));
  EXPECT_NEAR(decode.touched_bytes_per_token(), one_token, 1.0);
  EXPECT_GT(decode.peak_memory, meter.model().weight_bytes());
  EXPECT_GT(decode.share(), 0.0);
}

}  // namespace
}  // namespace trine::bench
