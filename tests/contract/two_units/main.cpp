// SPDX-License-Identifier: Apache-2.0
// Translation units that include the umbrella link into one program. Those configured alike share what is inline; one
// compiled without OpenMP beside them and one that links trine::compiled have names of their own, work, and disturb
// nobody.
#include <gtest/gtest.h>

#include <string_view>

#include "unit.hpp"

namespace {

TEST(TwoUnits, ConfiguredAlikeAreOneLibrary) {
  EXPECT_EQ(std::string_view(facts_of_unit_one().error_type), facts_of_unit_two().error_type);
  EXPECT_EQ(facts_of_unit_one().dtype_names, facts_of_unit_two().dtype_names);
}

TEST(TwoUnits, ConfiguredDifferentlyAreTwoLibraries) {
  EXPECT_NE(std::string_view(facts_of_unit_one().error_type), facts_without_openmp().error_type);
  EXPECT_NE(facts_of_unit_one().dtype_names, facts_without_openmp().dtype_names);
  EXPECT_NE(std::string_view(facts_of_unit_one().error_type), facts_of_compiled().error_type);
}

TEST(TwoUnits, AllWorkInOneProgram) {
  for (const Facts& facts : {facts_of_unit_one(), facts_of_unit_two(), facts_without_openmp(), facts_of_compiled()}) {
    EXPECT_EQ(facts.parallel_sum, 4950) << facts.error_type;
    EXPECT_EQ(facts.caught, "fifty") << facts.error_type;
  }
}

}  // namespace
