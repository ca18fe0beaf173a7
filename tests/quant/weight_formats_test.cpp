// SPDX-License-Identifier: Apache-2.0
#include <trine/quant/weight_formats.hpp>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(WeightFormats, AreFoundByTheTypeOfTheTensorThatHoldsThem) {
  for (const WeightFormat* format : kWeightFormats)
    EXPECT_EQ(find_format_of_tensor(format->tensor_dtype())->tensor_dtype(), format->tensor_dtype()) << format->name;
  EXPECT_EQ(find_format_of_tensor(DType::u8)->name, "mxfp4") << "bytes of codes";
  EXPECT_EQ(find_format_of_tensor(DType::f8_e4m3)->dtype, DType::f8_e4m3);
  EXPECT_EQ(find_format_of_tensor(kQ4)->name, "q4");
  EXPECT_EQ(find_format_of_tensor(kMxfp4), nullptr) << "no tensor has it: codes and scales are two";
  EXPECT_EQ(find_format_of_tensor(DType::i64), nullptr);
}

}  // namespace
}  // namespace trine
