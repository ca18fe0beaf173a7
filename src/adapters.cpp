// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): adapters, read and merged.
#include <trine/adapters/adapter.inl>
#include <trine/adapters/adapter_set.inl>
#include <trine/adapters/merge.inl>
