// SPDX-License-Identifier: Apache-2.0
#define FACTS facts_of_unit_two
#include "unit.inl"
