// SPDX-License-Identifier: Apache-2.0
// The definition of AdapterSet.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include <trine/adapters/adapter_set.hpp>
#include <trine/core/error.hpp>
#include <trine/core/hash.hpp>
#include <trine/core/printable.hpp>
#include <trine/model/model.hpp>
#include <trine/nn/low_rank.hpp>
#include <trine/weights/linear_maps.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

// Weights that an adapter brings take the place of all that adapters before it do to a map.
inline void require_no_replaced_update(const Model& model, std::span<const AdapterUse> adapters) {
  for (std::size_t target = 0; target < model.linear_maps().size(); ++target) {
    const Adapter* before = nullptr;
    for (const auto& [adapter, scale] : adapters) {
      const LowRank* map = scale == 0.0F ? nullptr : adapter.maps()[target];
      if (map == nullptr) continue;
      if (map->weight != nullptr && before != nullptr)
        throw InputError(adapter.info().path + ": expected no adapter before it that changes " +
                             in_quotes(model.linear_maps()[target].module) + ", whose weights it brings, found " +
                             before->info().path,
                         {.path = adapter.info().path, .field = "adapters"});
      before = &adapter;
    }
  }
}

}  // namespace detail

TRINE_DECL AdapterSet::AdapterSet(const Model& model, std::vector<AdapterUse> uses) : uses_(std::move(uses)) {
  Hash hash;
  for (const AdapterUse& use : uses_) {
    use.adapter.require_model(model);
    if (!std::isfinite(use.scale))
      throw InputError("adapters: expected a finite scale, found " + std::to_string(use.scale), {.field = "adapters"});
    if (use.scale == 0.0F) continue;
    attached_.push_back({use.adapter.maps(), use.scale});
    hash.add(use.adapter.fingerprint());
    hash.add(std::as_bytes(std::span(&use.scale, 1)));
  }
  detail::require_no_replaced_update(model, uses_);
  if (!attached_.empty()) fingerprint_ = hash.value();
}
TRINE_DECL AdapterSet::~AdapterSet() = default;
TRINE_DECL std::span<const AttachedAdapter> AdapterSet::attached() const noexcept { return attached_; }

}  // namespace trine::inline TRINE_ABI
