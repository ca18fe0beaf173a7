// SPDX-License-Identifier: Apache-2.0
#define FACTS facts_of_compiled
#include "unit.inl"
