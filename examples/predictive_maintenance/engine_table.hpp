// SPDX-License-Identifier: Apache-2.0
// Sensor histories of engines, from a text file of C-MAPSS or from a CSV file with named columns.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/core/printable.hpp>

namespace example {

/// What one engine measured, cycle after cycle.
struct Engine {
  std::string unit;                   // its name or number
  std::vector<std::uint64_t> cycles;  // ascending
  std::vector<double> readings;       // [cycles, sensors] in the units of the file
  std::size_t missing_cycles = 0;     // between the first and the last

  [[nodiscard]] std::span<const double> reading(std::size_t index, std::size_t sensors) const {
    return std::span(readings).subspan(index * sensors, sensors);
  }
};

namespace detail {

/// The fields of a line between commas, without the spaces around them; or, in a text of C-MAPSS, between spaces.
[[nodiscard]] inline std::vector<std::string_view> fields_of(std::string_view line, bool commas) {
  std::vector<std::string_view> fields;
  const std::string_view space = " \t\r\n";
  while (true) {
    const std::size_t begin = line.find_first_not_of(space);
    if (!commas && begin == std::string_view::npos) return fields;
    line.remove_prefix(std::min(begin, line.size()));
    const std::size_t end = std::min(commas ? line.find(',') : line.find_first_of(space), line.size());
    std::string_view field = line.substr(0, end);
    field = field.substr(0, field.find_last_not_of(space) + 1);
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"') field = field.substr(1, field.size() - 2);
    fields.push_back(field);
    if (end == line.size()) return fields;
    line.remove_prefix(end + 1);
  }
}

/// unit, cycle, setting_1 to setting_3, sensor_1 to sensor_21: the columns of a C-MAPSS file, which has no names.
[[nodiscard]] inline std::vector<std::string> cmapss_columns() {
  std::vector<std::string> names = {"unit", "cycle"};
  for (int i = 1; i <= 3; ++i) names.push_back("setting_" + std::to_string(i));
  for (int i = 1; i <= 21; ++i) names.push_back("sensor_" + std::to_string(i));
  return names;
}

/// Takes apart a table line by line; every error names file and line.
class EngineTableReader {
 public:
  EngineTableReader(std::string source, std::span<const std::string> sensors,
                    const std::map<std::string, std::string>& renamed)
      : source_(std::move(source)), sensors_(sensors.begin(), sensors.end()), renamed_(renamed) {}

  [[nodiscard]] std::vector<Engine> read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t length = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, length);
      text.remove_prefix(std::min(length + 1, text.size()));
      ++line_;
      if (line_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // a byte order mark
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      if (columns_ == 0) {
        if (begin_table(line)) continue;  // names
      }
      add_row(fields_of(line, commas_));
    }
    if (engines_.empty()) throw trine::InputError(source_ + ": expected at least one row of readings, found none");
    return std::move(engines_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw trine::InputError(source_ + ", line " + std::to_string(line_) + ": " + what);
  }

  /// Decides by the first line what the table is. Returns whether that line has names in place of values.
  [[nodiscard]] bool begin_table(std::string_view line) {
    const bool numbers = line.find_first_not_of("0123456789.+-eE \t\r") == std::string_view::npos;
    if (numbers) {
      const std::vector<std::string> names = cmapss_columns();
      const std::size_t count = fields_of(line, false).size();
      if (count != names.size())
        fail("expected the names of the columns, or the " + std::to_string(names.size()) +
             " numbers of a C-MAPSS file, found " + std::to_string(count) + " numbers");
      find_columns(names);
      return false;
    }
    commas_ = true;
    if (line.find(',') == std::string_view::npos)
      for (const auto& [sign, name] : {std::pair{';', "semicolons"}, std::pair{'\t', "tabs"}, std::pair{'|', "bars"}})
        if (line.find(sign) != std::string_view::npos)
          fail(std::string("expected commas between the columns, found ") + name);
    std::vector<std::string> names;
    for (const std::string_view field : fields_of(line, true)) {
      const auto known = renamed_.find(std::string(field));
      names.push_back(known != renamed_.end() ? known->second : std::string(field));
    }
    find_columns(names);
    return true;
  }

  void find_columns(const std::vector<std::string>& names) {
    const auto find = [&](const std::string& wanted) {
      const auto found = std::ranges::find(names, wanted);
      if (found == names.end())
        fail("no column named " + trine::in_quotes(wanted) + trine::nearest_hint(wanted, names) +
             " (--column NAME=" + wanted + " says which one it is)");
      if (std::find(found + 1, names.end(), wanted) != names.end())
        fail("expected one column named " + trine::in_quotes(wanted) + ", found two");
      return static_cast<std::size_t>(found - names.begin());
    };
    unit_ = find("unit");
    cycle_ = find("cycle");
    for (const std::string& sensor : sensors_) places_.push_back(find(sensor));
    columns_ = names.size();
  }

  void add_row(const std::vector<std::string_view>& fields) {
    if (fields.size() != columns_)
      fail("expected " + std::to_string(columns_) + " values, found " + std::to_string(fields.size()));
    Engine& engine = engine_of(std::string(fields[unit_]));
    const double cycle = number(fields[cycle_], "cycle");
    if (cycle < 0 || cycle > 1e15 || cycle != std::floor(cycle))
      fail("cycle: expected a whole number from 0 on, found " + trine::in_quotes(fields[cycle_]));
    const auto now = static_cast<std::uint64_t>(cycle);
    if (!engine.cycles.empty()) {
      if (now <= engine.cycles.back())
        fail("expected the cycles of unit " + trine::in_quotes(engine.unit) + " in ascending order, found " +
             std::to_string(now) + " after " + std::to_string(engine.cycles.back()));
      engine.missing_cycles += now - engine.cycles.back() - 1;
    }
    engine.cycles.push_back(now);
    for (std::size_t s = 0; s < sensors_.size(); ++s)
      engine.readings.push_back(number(fields[places_[s]], sensors_[s]));
  }

  [[nodiscard]] Engine& engine_of(const std::string& unit) {
    if (unit.empty()) fail("unit: expected a name or number, found nothing");
    const auto [place, is_new] = place_of_unit_.try_emplace(unit, engines_.size());
    if (is_new) engines_.push_back({unit, {}, {}, 0});
    return engines_[place->second];
  }

  [[nodiscard]] double number(std::string_view text, const std::string& column) const {
    double value = 0.0;
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      fail(column + ": expected a finite number, found " + trine::in_quotes(text));
    return value;
  }

  std::string source_;
  std::vector<std::string> sensors_;
  const std::map<std::string, std::string>& renamed_;  // name in the file to name of the model
  bool commas_ = false;
  std::size_t line_ = 0;
  std::size_t columns_ = 0;  // 0 before the first line
  std::size_t unit_ = 0;
  std::size_t cycle_ = 0;
  std::vector<std::size_t> places_;  // [sensors]
  std::vector<Engine> engines_;
  std::map<std::string, std::size_t> place_of_unit_;
};

}  // namespace detail

/// The engines of `text`, in the order of their first rows; rows of several engines may alternate. A line of 26 numbers
/// begins a C-MAPSS file; otherwise the first line names the columns, among them unit, cycle and every one of
/// `sensors`. `renamed`: names in the file of columns that the model knows by another. `source` stands in errors.
/// Throws InputError.
[[nodiscard]] inline std::vector<Engine> read_engines(std::string_view text, const std::string& source,
                                                      std::span<const std::string> sensors,
                                                      const std::map<std::string, std::string>& renamed = {}) {
  return detail::EngineTableReader(source, sensors, renamed).read(text);
}

}  // namespace example
