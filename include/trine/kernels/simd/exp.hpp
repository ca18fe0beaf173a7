// SPDX-License-Identifier: Apache-2.0
// The exponential of vectors, for every target: shared by the kernels of softmax and activations.
#pragma once

#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/exp.inl>
#include <trine/kernels/simd/foreach_target.inl>
