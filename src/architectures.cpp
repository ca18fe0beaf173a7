// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): all builders, and with them all layers.
#include <trine/model/architectures/all.inl>
#include <trine/model/architectures/gguf/config.inl>
#include <trine/model/architectures/gguf/tensors.inl>
#include <trine/routing/router_registry.inl>
