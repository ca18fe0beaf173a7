// SPDX-License-Identifier: Apache-2.0
#define FACTS facts_without_openmp
#include "unit.inl"
