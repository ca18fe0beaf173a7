// SPDX-License-Identifier: Apache-2.0
#define FACTS facts_of_unit_one
#include "unit.inl"
