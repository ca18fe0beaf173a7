// SPDX-License-Identifier: Apache-2.0
// Plans a model of a given size: each tensor gets the type that a measurement gives it.
//
// Small errors of weights add up: KL(plan) ~ sum over tensors of  alpha * D(type), where D is the mean squared error
// that the type causes in the output of the tensor, per token of the text: an expert that is chosen rarely has a small
// one. alpha, what such an error costs in nats, is the same for tensors of one kind in one layer, and is measured: the
// model runs with these tensors alone in a coarse type. Linear in D as in Malinovskii et al., "Pushing the Limits of
// Large Language Model Quantization via the Linearity Theorem", 2024. arXiv:2411.17525; there alpha is one per layer.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/generate/log_sum_exp.hpp>
#include <trine/generate/session.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/quantize/replaced_tensors.hpp>
#include <trine/quantize/type_allocation.hpp>

namespace trine::inline TRINE_ABI {

/// What errors of some tensors cost: of one kind in one layer, such as "model.layers.3.mlp.experts.*.up_proj.weight".
struct MeasuredGroup {
  std::string name;         ///< of the tensors; `*` is the number of an expert
  DType type = DType::f32;  ///< that they had
  double divergence = 0.0;  ///< mean KL divergence in nats that it alone caused
};

/// A plan, and what it is expected to cost.
struct SizedPlan {
  std::vector<PlannedTensor> plan;    ///< for ModelQuantizer::write
  std::vector<double> divergence;     ///< of each tensor: its part of the KL divergence, in nats, as predicted
  std::vector<MeasuredGroup> groups;  ///< what was measured
  std::uint64_t bytes = 0;            ///< of all tensors of the plan

  /// The sum.
  [[nodiscard]] double total_divergence() const noexcept {
    double sum = 0.0;
    for (const double part : divergence) sum += part;
    return sum;
  }
};

/// How a measurement runs. Nothing of it changes the plan.
struct SizeTargetOptions {
  std::size_t num_threads = 0;                                             ///< 0: default_threads()
  std::stop_token cancel = {};                                             ///< ends with CancelledError
  std::function<void(std::size_t done, std::size_t total)> progress = {};  ///< groups that are measured
};

namespace detail {

// What tensors of a sized plan may become, besides what they are.
inline constexpr std::array<std::string_view, 6> kSizedTypes = {"q3a", "q4a", "q5a", "q6a", "q8", "bf16"};
inline constexpr std::string_view kProbe = "q4a";  // coarse enough to be seen, fine enough to be linear

// The name with the number of an expert as '*'.
[[nodiscard]] inline std::string kind_of(std::string_view name) {
  constexpr std::string_view kExperts = ".experts.";
  const std::size_t at = name.find(kExperts);
  std::string kind(name);
  if (at == std::string_view::npos) return kind;
  const std::size_t begin = at + kExperts.size();
  const std::size_t end = name.find_first_not_of("0123456789", begin);
  return end == begin ? kind : kind.replace(begin, (end == std::string_view::npos ? name.size() : end) - begin, "*");
}

// The divergence of models from one, on one text.
class DivergenceMeter {
 public:
  DivergenceMeter(const Model& reference, std::span<const TokenId> tokens, SessionOptions options,
                  const std::stop_token& stop)
      : tokens_(tokens), options_(std::move(options)), stop_(stop) {
    options_.context_length = tokens.size();
    Session session(reference, options_);
    const View<const float, 2> logits = session.forward(tokens_, OutputRows::all, stop_);
    columns_ = logits.extent(1);
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      logits_.insert(logits_.end(), logits.row(t).begin(), logits.row(t).end());
      log_sums_.push_back(log_sum_exp(logits.row(t)));
    }
  }

  [[nodiscard]] double operator()(const Model& model) const {
    Session session(model, options_);
    const View<const float, 2> logits = session.forward(tokens_, OutputRows::all, stop_);
    double sum = 0.0;
    for (std::size_t t = 0; t < tokens_.size(); ++t)
      sum += kl_divergence(std::span(logits_).subspan(t * columns_, columns_), log_sums_[t], logits.row(t),
                           log_sum_exp(logits.row(t)));
    return sum / static_cast<double>(tokens_.size());
  }

 private:
  std::span<const TokenId> tokens_;
  SessionOptions options_;
  std::stop_token stop_;
  std::size_t columns_ = 0;
  std::vector<float> logits_;  // [tokens, vocabulary]
  std::vector<double> log_sums_;
};

// A tensor, what it may become, and what each of these costs.
struct SizedTensor {
  std::vector<PlannedTensor> plans;  // of each option
  std::vector<TypeOption> options;
  std::optional<std::size_t> probe;  // the option of kProbe, or the coarsest there is
};

// Every tensor with each type that a rule leaves it.
[[nodiscard]] inline std::vector<SizedTensor> sized_tensors(const ModelQuantizer& quantizer,
                                                            std::span<const QuantizeRule> rules) {
  std::vector<QuantizeRule> kept = {{"*", std::nullopt}};
  kept.insert(kept.end(), rules.begin(), rules.end());
  std::vector<SizedTensor> tensors;
  const auto add = [&](std::vector<PlannedTensor> plan) {
    tensors.resize(plan.size());
    for (std::size_t t = 0; t < plan.size(); ++t) {
      SizedTensor& tensor = tensors[t];
      const auto is_same = [&](const PlannedTensor& other) { return other.to == plan[t].to; };
      if (std::ranges::any_of(tensor.plans, is_same)) continue;
      tensor.options.push_back({plan[t].to, plan[t].bytes_after});
      tensor.plans.push_back(std::move(plan[t]));
    }
  };
  for (const std::string_view type : kSizedTypes) add(quantizer.plan(*parse_dtype(type), rules));
  add(quantizer.plan(DType::bf16, kept));
  for (SizedTensor& tensor : tensors) {
    for (std::size_t i = 0; i < tensor.options.size() && tensor.options.size() > 1; ++i) {
      if (tensor.plans[i].to == tensor.plans[i].from) continue;
      if (!tensor.probe || to_string(tensor.plans[i].to) == kProbe) tensor.probe = i;
    }
  }
  return tensors;
}

// Before anything is measured.
inline void check_smallest_size(std::span<const SizedTensor> tensors, std::uint64_t bytes) {
  std::uint64_t least = 0;
  double parameters = 0.0;
  for (const SizedTensor& tensor : tensors) {
    least += std::ranges::min(tensor.options, {}, &TypeOption::bytes).bytes;
    parameters += static_cast<double>(tensor.plans.front().parameters);
  }
  if (bytes >= least) return;
  const auto described = [&](std::uint64_t size) {
    std::array<char, 48> bits{};
    std::snprintf(bits.data(), bits.size(), " bytes, %.3f bits per weight",
                  8.0 * static_cast<double>(size) / parameters);
    return std::to_string(size) + bits.data();
  };
  throw InputError(
      "target: expected at least " + described(least) + ", the smallest that is possible, found " + described(bytes),
      {.kind = ErrorKind::out_of_range, .field = "target"});
}

}  // namespace detail

/// The plan of at most `bytes` bytes with the least KL divergence that the measurement predicts, from the model with
/// f32 activations. Tensors for which a rule names a type have that. Memory: the logits of the tokens, and the tensors
/// of a group in 4 bits. Throws InputError: fewer than 2 tokens, or a target below what is possible, before anything is
/// measured; and what ModelQuantizer and Session throw.   statistics: of this model   tokens: a text like those that
/// the model will see; some hundred are enough
[[nodiscard]] inline SizedPlan plan_for_size(const ModelQuantizer& quantizer, std::uint64_t bytes,
                                             const InputStatistics& statistics, std::span<const TokenId> tokens,
                                             std::span<const QuantizeRule> rules = {},
                                             const SizeTargetOptions& options = {}) {
  if (tokens.size() < 2)
    throw InputError("tokens: expected at least 2, found " + std::to_string(tokens.size()), {.field = "tokens"});
  std::vector<detail::SizedTensor> tensors = detail::sized_tensors(quantizer, rules);
  const auto allocate = [&] {
    std::vector<std::vector<TypeOption>> choices;
    for (const detail::SizedTensor& tensor : tensors) choices.push_back(tensor.options);
    return allocate_types(choices, bytes);
  };
  detail::check_smallest_size(tensors, bytes);

  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].probe) groups[detail::kind_of(tensors[t].plans.front().name)].push_back(t);

  const std::size_t threads = options.num_threads == 0 ? default_threads() : options.num_threads;
  const auto pool = std::make_shared<ThreadPool>(threads);
  const ExecutionContext execution{.num_threads = threads, .stop = options.cancel, .executor = pool.get()};
  const detail::DivergenceMeter meter(
      quantizer.model(), tokens,
      {.num_threads = threads, .activations = ActivationPrecision::f32, .reproducible = true, .executor = pool},
      options.cancel);
  SizedPlan result;
  for (const auto& [name, members] : groups) {
    double error = 0.0;  // of all of them with the probe
    std::map<std::string, ReplacedTensors::Tensor, std::less<>> probes;
    for (const std::size_t t : members) {
      detail::SizedTensor& tensor = tensors[t];
      std::vector<std::size_t> changed;  // options; what is kept has no error
      std::vector<DType> types;
      for (std::size_t i = 0; i < tensor.options.size(); ++i) {
        if (tensor.plans[i].to == tensor.plans[i].from) continue;
        changed.push_back(i);
        types.push_back(tensor.options[i].type);
      }
      const std::vector<double> errors =
          quantizer.output_errors(execution, tensor.plans[*tensor.probe], types, &statistics);
      for (std::size_t i = 0; i < changed.size(); ++i) tensor.options[changed[i]].loss = errors[i];
      error += tensor.options[*tensor.probe].loss;
      probes.emplace(tensor.plans.front().name,
                     ReplacedTensors::convert(quantizer, execution, tensor.plans[*tensor.probe], &statistics));
    }
    const double divergence =
        meter(ReplacedTensors::build(quantizer.model(), std::move(probes), quantizer.load_options()));
    result.groups.push_back({name, tensors[members.front()].options[*tensors[members.front()].probe].type, divergence});
    for (const std::size_t t : members)
      for (TypeOption& option : tensors[t].options) option.loss *= error == 0.0 ? 0.0 : divergence / error;
    if (options.progress) options.progress(result.groups.size(), groups.size());
  }
  const std::vector<std::size_t> chosen = allocate();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    result.divergence.push_back(tensors[t].options[chosen[t]].loss);
    result.bytes += tensors[t].options[chosen[t]].bytes;
    result.plan.push_back(std::move(tensors[t].plans[chosen[t]]));
  }
  return result;
}

}  // namespace trine::inline TRINE_ABI
