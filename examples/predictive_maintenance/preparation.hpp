// SPDX-License-Identifier: Apache-2.0
// From a reading of the sensors to the features of a frame: preparation.json, which the training writes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/model/model_builder.hpp>

namespace example {

/// What becomes of a reading before the model sees it, as in examples/training/cmapss_data.py. Sensor s is a site with
/// the features [z_t, a_t for each of `spans`]:
///
///     z_t = (x_t - mean_s) / deviation_s
///     a_t = sum_i w^i z_(t-i) / sum_i w^i,   w = 1 - 1 / span         the average of about the last `span` cycles
struct Preparation {
  std::vector<std::string> sensors;  // one per site
  std::vector<double> mean;          // [sensors] in the units of the sensor
  std::vector<double> deviation;     // [sensors] the same
  std::vector<double> spans;         // in cycles
  double cap = 0.0;                  // cycles: the model says no more than this, however healthy the engine is
  double horizon = 0.0;              // cycles: the risk is that of a failure within them

  [[nodiscard]] std::size_t num_features() const { return 1 + spans.size(); }

  /// Reads preparation.json and compares it with the model. Throws FileError, ConfigError.
  [[nodiscard]] static Preparation load(const std::filesystem::path& path, const trine::ModelInfo& info) {
    const trine::Json document = trine::read_json_file(path);
    trine::ObjectReader root(document, path.string());
    static_cast<void>(root.choice<bool>("format", {{"trine-engine-preparation", true}}));
    static_cast<void>(root.integer("version", 1, 1));
    const auto list = [&](const char* key, std::size_t size, double least) {
      const trine::Json& values = root.at(key);
      if (!values.is_array() || (size > 0 && values.size() != size))
        root.fail(key, size > 0 ? "a list of " + std::to_string(size) + " numbers" : "a list of numbers", values);
      std::vector<double> result;
      for (const trine::Json& value : values) {
        if (!value.is_number() || !(value.get<double>() >= least))
          root.fail(key, "numbers from " + trine::Json(least).dump() + " on", value);
        result.push_back(value.get<double>());
      }
      return result;
    };
    Preparation result;
    const trine::Json& sensors = root.at("sensors");
    if (!sensors.is_array() || sensors.size() != info.frame_size)
      root.fail("sensors", "a name for each of the " + std::to_string(info.frame_size) + " sites of the model",
                sensors);
    for (const trine::Json& name : sensors) {
      if (!name.is_string()) root.fail("sensors", "names", name);
      result.sensors.push_back(name.get<std::string>());
    }
    result.mean = list("mean", result.sensors.size(), -1e30);
    result.deviation = list("deviation", result.sensors.size(), 1e-30);
    result.spans = list("spans", 0, 1.0);
    if (result.num_features() != info.num_features)
      root.fail("spans", "one less than the " + std::to_string(info.num_features) + " features of the model",
                root.at("spans"));
    result.cap = root.number("cap", 1.0, 1e6);
    result.horizon = root.number("horizon", 1.0, 1e6);
    root.reject_unknown_keys();
    return result;
  }
};

/// The features of one engine as its readings arrive. Its state has a fixed size: one average per sensor and span.
class FeatureStream {
 public:
  explicit FeatureStream(const Preparation& preparation)
      : preparation_(preparation),
        sums_(preparation.spans.size() * preparation.sensors.size(), 0.0),
        weights_(preparation.spans.size(), 0.0),
        frame_({1, preparation.sensors.size(), preparation.num_features()}) {}

  /// reading: [sensors]. Returns [1, sensors, features], valid until the next call.
  [[nodiscard]] trine::View<const float, 3> next(std::span<const double> reading) {
    const std::size_t sensors = preparation_.sensors.size();
    for (std::size_t i = 0; i < weights_.size(); ++i)
      weights_[i] = (1.0 - 1.0 / preparation_.spans[i]) * weights_[i] + 1.0;
    for (std::size_t s = 0; s < sensors; ++s) {
      const double z = (reading[s] - preparation_.mean[s]) / preparation_.deviation[s];
      float* features = frame_.data() + s * preparation_.num_features();
      features[0] = static_cast<float>(z);
      for (std::size_t i = 0; i < weights_.size(); ++i) {
        double& sum = sums_[i * sensors + s];
        sum = (1.0 - 1.0 / preparation_.spans[i]) * sum + z;
        features[1 + i] = static_cast<float>(sum / weights_[i]);
      }
    }
    return frame_.view();
  }

 private:
  const Preparation& preparation_;
  std::vector<double> sums_;     // [spans, sensors]
  std::vector<double> weights_;  // [spans]
  trine::Tensor<float, 3> frame_;
};

}  // namespace example
