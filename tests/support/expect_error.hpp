// SPDX-License-Identifier: Apache-2.0
// EXPECT_ERROR(expression, WeightError, "no tensor named 'norm.weight'"): it throws that type, and what() holds the
// text. Wrap an expression with a comma outside parentheses, such as View<float, 2>(), in parentheses.
#pragma once

#include <exception>
#include <string>

#include <gmock/gmock.h>

#define EXPECT_ERROR(expression, ErrorType, text)                                             \
  do {                                                                                        \
    try {                                                                                     \
      static_cast<void>(expression);                                                          \
      ADD_FAILURE() << #expression ": expected " #ErrorType ", found no exception";           \
    } catch (const ErrorType& trine_error) {                                                  \
      EXPECT_THAT(std::string(trine_error.what()), ::testing::HasSubstr(text));               \
    } catch (const std::exception& trine_error) {                                             \
      ADD_FAILURE() << #expression ": expected " #ErrorType ", found " << trine_error.what(); \
    }                                                                                         \
  } while (false)
