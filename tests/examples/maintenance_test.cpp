// SPDX-License-Identifier: Apache-2.0
// trine-maintenance: its table, its features, its answers beside those of the reference, its errors, its figures.
#ifdef TRINE_PROGRAMS_DIR
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "examples/run_program.hpp"
#include "predictive_maintenance/engine_picture.hpp"
#include "predictive_maintenance/engine_table.hpp"
#include "predictive_maintenance/preparation.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kModel = std::string(TRINE_MODELS_DIR) + "/engine-life";

nlohmann::json preparation_of_the_model() {
  return nlohmann::json::parse(read_whole(std::filesystem::path(kModel) / "preparation.json"));
}

/// The readings of an engine that wears: sensor s is mean + deviation * wear * sign_s, where the sign is that of the
/// wear of the real engines, and wear grows from -0.5 to 3 over 200 cycles. The same formula made the expected answers:
/// see AnswersAsTheReferenceDoes.
double reading(const nlohmann::json& preparation, std::size_t sensor, int cycle) {
  static const std::map<std::string, double> signs = {
      {"sensor_7", -1.0}, {"sensor_12", -1.0}, {"sensor_20", -1.0}, {"sensor_21", -1.0}};
  const auto sign = signs.find(preparation.at("sensors")[sensor]);
  const double wear = -0.5 + 3.5 * (cycle / 200.0) * (cycle / 200.0);
  return preparation.at("mean")[sensor].get<double>() +
         preparation.at("deviation")[sensor].get<double>() * wear * (sign == signs.end() ? 1.0 : sign->second);
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

/// A CSV file of that engine with the given columns; `rename` maps names of the model to those of the file.
std::string csv(int cycles, const std::string& unit = "1", const std::map<std::string, std::string>& rename = {}) {
  const nlohmann::json preparation = preparation_of_the_model();
  std::string text = "unit,cycle,remark";
  for (const std::string name : preparation.at("sensors"))
    text += "," + (rename.contains(name) ? rename.at(name) : name);
  for (int cycle = 1; cycle <= cycles; ++cycle) {
    text += "\n" + unit + "," + std::to_string(cycle) + ",none";
    for (std::size_t s = 0; s < preparation.at("sensors").size(); ++s)
      text += "," + number(reading(preparation, s, cycle));
  }
  return text + "\n";
}

/// The same as a file of C-MAPSS: 26 numbers between spaces.
std::string cmapss(int cycles) {
  const nlohmann::json preparation = preparation_of_the_model();
  std::map<std::string, std::size_t> place;
  for (std::size_t s = 0; s < preparation.at("sensors").size(); ++s) place[preparation.at("sensors")[s]] = s;
  std::string text;
  for (int cycle = 1; cycle <= cycles; ++cycle) {
    text += "1 " + std::to_string(cycle) + " 0.0001 -0.0003 100.0";
    for (int i = 1; i <= 21; ++i) {
      const auto found = place.find("sensor_" + std::to_string(i));
      text += " " + number(found == place.end() ? 14.62 : reading(preparation, found->second, cycle));
    }
    text += "  \n";
  }
  return text;
}

std::vector<std::string> with_model(const std::vector<std::string>& more) {
  std::vector<std::string> command = {"trine-maintenance", "-m", kModel};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

TEST(EngineTable, TakesUnitsWhoseRowsAlternate) {
  const std::vector<std::string> sensors = {"b", "a"};
  const auto engines = example::read_engines(
      "\xEF\xBB\xBF\"unit\",cycle , a,b,c\r\n x,1,10,20,?\r\ny,5,1,2,\r\n\r\nx,3,+11,2e1,\r\n", "table", sensors);
  ASSERT_EQ(engines.size(), 2U);
  EXPECT_EQ(engines[0].unit, "x");
  EXPECT_THAT(engines[0].cycles, ElementsAre(1, 3));
  EXPECT_THAT(engines[0].readings, ElementsAre(20.0, 10.0, 20.0, 11.0));
  EXPECT_EQ(engines[0].missing_cycles, 1U);
  EXPECT_EQ(engines[1].unit, "y");
  EXPECT_THAT(engines[1].cycles, ElementsAre(5));
}

TEST(EngineTable, SaysWhatIsWrongAndWhere) {
  const std::vector<std::string> sensors = {"sensor_2"};
  const std::map<std::string, std::string> tables = {
      {"", "t: expected at least one row of readings, found none"},
      {"unit,cycle,sensor_2\n", "t: expected at least one row of readings, found none"},
      {"unit,cycle,sensor2\n", "t, line 1: no column named 'sensor_2'; the nearest one is 'sensor2'"},
      {"unit,sensor_2\n", "no column named 'cycle'"},
      {"unit,cycle,sensor_2,cycle\n", "expected one column named 'cycle', found two"},
      {"unit;cycle;sensor_2\n", "t, line 1: expected commas between the columns, found semicolons"},
      {"unit\tcycle\tsensor_2\n", "expected commas between the columns, found tabs"},
      {"unit|cycle|sensor_2\n", "expected commas between the columns, found bars"},
      {"1 2 3\n", "expected the names of the columns, or the 26 numbers of a C-MAPSS file, found 3 numbers"},
      {"unit,cycle,sensor_2\n1,1\n", "t, line 2: expected 3 values, found 2"},
      {"unit,cycle,sensor_2\n1,1,nan\n", "t, line 2: sensor_2: expected a finite number, found 'nan'"},
      {"unit,cycle,sensor_2\n1,1,\n", "sensor_2: expected a finite number, found ''"},
      {"unit,cycle,sensor_2\n1,1,1e999\n", "sensor_2: expected a finite number, found '1e999'"},
      {"unit,cycle,sensor_2\n1,1,3 mm\n", "sensor_2: expected a finite number, found '3 mm'"},
      {"unit,cycle,sensor_2\n1,1.5,3\n", "cycle: expected a whole number from 0 on, found '1.5'"},
      {"unit,cycle,sensor_2\n1,-1,3\n", "cycle: expected a whole number from 0 on, found '-1'"},
      {"unit,cycle,sensor_2\n,1,3\n", "unit: expected a name or number, found nothing"},
      {"unit,cycle,sensor_2\n1,2,3\n2,9,3\n1,2,3\n",
       "t, line 4: expected the cycles of unit '1' in ascending order, found 2 after 2"}};
  for (const auto& [table, text] : tables)
    EXPECT_ERROR(static_cast<void>(example::read_engines(table, "t", sensors)), InputError, text);
}

std::vector<float> values_of(View<const float, 3> frame) {
  return {frame.data(), frame.data() + frame.extent(1) * frame.extent(2)};
}

// By hand: with a span of 2, w = 1/2, so the average after 4 and 1 is (4/2 + 1) / (1/2 + 1) = 2.
TEST(FeatureStream, AveragesWhatItSaw) {
  example::Preparation preparation;
  preparation.sensors = {"a", "b"};
  preparation.mean = {10.0, 0.0};
  preparation.deviation = {2.0, 1.0};
  preparation.spans = {2.0};
  example::FeatureStream stream(preparation);
  const std::vector<double> first = {18.0, 6.0};
  EXPECT_THAT(values_of(stream.next(first)), ElementsAre(4.0F, 4.0F, 6.0F, 6.0F));
  const std::vector<double> second = {12.0, 0.0};
  EXPECT_THAT(values_of(stream.next(second)), ElementsAre(1.0F, 2.0F, 0.0F, 2.0F));
}

TEST(ForecastErrors, WeighLateForecastsMore) {
  example::ForecastErrors errors;
  errors.add(50.0, 60.0, 125.0);
  EXPECT_DOUBLE_EQ(errors.nasa_score, std::exp(10.0 / 13.0) - 1.0);
  errors.add(125.0, 140.0, 125.0);  // both capped: no error
  errors.add(30.0, 20.0, 125.0);
  EXPECT_DOUBLE_EQ(errors.nasa_score, std::exp(10.0 / 13.0) - 1.0 + (std::exp(1.0) - 1.0) + 0.0);
  EXPECT_DOUBLE_EQ(errors.rmse(), std::sqrt(200.0 / 3.0));
}

// What PyTorch computes for the same readings: tests/oracle/make_maintenance_expected.py.
TEST(Maintenance, AnswersAsTheReferenceDoes) {
  const Finished finished = run_program(with_model({"-f", "-", "--all", "--json"}), csv(200));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto engine = nlohmann::json::parse(finished.out).at("engines").at(0);
  ASSERT_EQ(engine.at("cycles").size(), 200U);
  const std::vector<std::array<double, 3>> expected = {
      {{1, 125, 0.000272922}},    {{20, 119.309, 0.000302079}}, {{60, 93.0754, 0.000633517}},
      {{120, 28.9036, 0.139049}}, {{160, 4.83418, 0.997762}},   {{200, 0, 0.999369}}};  // cycle, life, risk
  for (const auto& [cycle, life, risk] : expected) {
    const auto& found = engine.at("cycles").at(static_cast<std::size_t>(cycle) - 1);
    EXPECT_NEAR(found.at("remaining").get<double>(), life, 2e-3) << cycle;
    EXPECT_NEAR(found.at("risk").get<double>(), risk, 1e-4) << cycle;
  }
}

TEST(Maintenance, SaysLessOfAnEngineThatWears) {
  const Finished finished = run_program(with_model({"-f", "-", "--all", "--json", "--to-failure"}), csv(200));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto all = nlohmann::json::parse(finished.out);
  const auto& cycles = all.at("engines").at(0).at("cycles");
  EXPECT_GT(cycles.at(19).at("remaining"), 100.0);
  EXPECT_LT(cycles.at(199).at("remaining"), 20.0);
  EXPECT_LT(cycles.at(19).at("risk"), 0.05);
  EXPECT_GT(cycles.at(199).at("risk"), 0.9);
  EXPECT_EQ(cycles.at(199).at("true_remaining"), 0.0);
  EXPECT_EQ(cycles.at(19).at("true_remaining"), 180.0);
  const auto alarm = all.at("engines").at(0).at("alarm_cycle").get<std::size_t>();
  EXPECT_GE(cycles.at(alarm - 1).at("risk"), 0.5);
  EXPECT_LT(cycles.at(alarm - 2).at("risk"), 0.5);
}

TEST(Maintenance, ReadsBothFormatsAlike) {
  const std::string from_csv = run_program(with_model({"-f", "-"}), csv(40)).out;
  EXPECT_EQ(run_program(with_model({"-f", "-"}), cmapss(40)).out, from_csv);
  EXPECT_EQ(run_program(with_model({"-f", "-", "--column", "T24=sensor_2", "--column", "Nf=sensor_8"}),
                        csv(40, "1", {{"sensor_2", "T24"}, {"sensor_8", "Nf"}}))
                .out,
            from_csv);
  EXPECT_THAT(from_csv, StartsWith("unit "));
}

TEST(Maintenance, ForgetsAnEngineBeforeTheNext) {
  std::string two = csv(30, "first");
  const std::string second = csv(12, "second");
  two += second.substr(second.find('\n') + 1);
  const std::string alone = run_program(with_model({"-f", "-", "--json"}), second).out;
  const std::string after = run_program(with_model({"-f", "-", "--json", "--unit", "second"}), two).out;
  EXPECT_EQ(after, alone);
  const auto both = nlohmann::json::parse(run_program(with_model({"-f", "-", "--json"}), two).out);
  EXPECT_EQ(both.at("engines").at(1), nlohmann::json::parse(alone).at("engines").at(0));
}

TEST(Maintenance, ComparesWithTheTrueLives) {
  const TemporaryDirectory directory;
  const std::string lives = directory.write("rul", "98\n").string();
  const Finished finished = run_program(with_model({"-f", "-", "--rul", lives, "--json"}), csv(100));
  const auto all = nlohmann::json::parse(finished.out);
  const double off = all.at("engines").at(0).at("last").at("remaining").get<double>() - 98.0;
  EXPECT_NEAR(all.at("rmse").get<double>(), std::abs(off), 1e-9);
  EXPECT_NEAR(all.at("nasa_score").get<double>(), std::exp(off < 0 ? -off / 13.0 : off / 10.0) - 1.0, 1e-9);
  EXPECT_THAT(run_program(with_model({"-f", "-", "--rul", lives}), csv(100)).out, HasSubstr("1 engines: RMSE "));
  const std::string two = directory.write("two", "98 7").string();
  EXPECT_THAT(run_program(with_model({"-f", "-", "--rul", two}), csv(10)).err,
              HasSubstr("expected a number for each of 1 engines, found 2"));
  const std::string words = directory.write("words", "soon").string();
  EXPECT_THAT(run_program(with_model({"-f", "-", "--rul", words}), csv(10)).err,
              HasSubstr("expected numbers of cycles, found 'soon'"));
}

TEST(Maintenance, NotesMissingCycles) {
  std::string table = csv(5);
  const std::size_t third = table.find("\n1,3,");
  table.erase(third, table.find('\n', third + 1) - third);
  const Finished finished = run_program(with_model({"-f", "-"}), table);
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.err, HasSubstr("note: unit 1: 1 cycles are missing"));
}

TEST(Maintenance, DrawsEveryEngine) {
  const TemporaryDirectory directory;
  const std::string folder = (directory.path() / "pictures").string();
  const Finished finished =
      run_program(with_model({"-f", "-", "--pictures", folder, "--to-failure"}), csv(200, "<a/1>"));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string picture = read_whole(directory.path() / "pictures" / "engine-_a_1_.svg");
  EXPECT_THAT(picture, StartsWith("<svg "));
  EXPECT_THAT(picture, EndsWith("</svg>\n"));
  for (const char* part : {"Engine &lt;a/1&gt;", "(a) Remaining life", "(b) Risk", "(c) Experts at work", ">true<",
                           ">forecast<", "alarm, cycle "})
    EXPECT_THAT(picture, HasSubstr(part));
  EXPECT_THAT(picture, Not(HasSubstr("nan")));
  // Two units whose names would give the same file.
  std::string two = csv(2, "a/1");
  const std::string other = csv(2, "a_1");
  two += other.substr(other.find('\n') + 1);
  EXPECT_EQ(run_program(with_model({"-f", "-", "--pictures", folder}), two).exit_code, 0);
  EXPECT_THAT(read_whole(directory.path() / "pictures" / "engine-a_1.svg"), HasSubstr("Engine a/1"));
  EXPECT_THAT(read_whole(directory.path() / "pictures" / "engine-a_1-engine-2.svg"), HasSubstr("Engine a_1"));
  // Without a known end there is no true line.
  EXPECT_EQ(run_program(with_model({"-f", "-", "--pictures", folder}), csv(3)).exit_code, 0);
  EXPECT_THAT(read_whole(directory.path() / "pictures" / "engine-1.svg"), Not(HasSubstr(">true<")));
}

// A copy of the model whose preparation is changed by `change`.
std::string with_preparation(const TemporaryDirectory& directory, const std::function<void(nlohmann::json&)>& change) {
  for (const char* name : {"config.json", "weights.json", "weights.bin"})
    std::filesystem::copy_file(std::filesystem::path(kModel) / name, directory.path() / name,
                               std::filesystem::copy_options::overwrite_existing);
  nlohmann::json preparation = preparation_of_the_model();
  change(preparation);
  directory.write("preparation.json", preparation.dump());
  return directory.path().string();
}

TEST(Maintenance, RefusesAPreparationOfAnotherModel) {
  const TemporaryDirectory directory;
  const auto expect = [&](const std::string& text, const std::function<void(nlohmann::json&)>& change) {
    const Finished finished =
        run_program({"trine-maintenance", "-m", with_preparation(directory, change), "-f", "-"}, csv(2));
    EXPECT_EQ(finished.exit_code, 3) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr("preparation.json: " + text));
  };
  expect("sensors: expected a name for each of the 14 sites of the model", [](auto& p) { p["sensors"].erase(0); });
  expect("mean: expected a list of 14 numbers", [](auto& p) { p["mean"].erase(0); });
  expect("deviation: expected numbers from 1e-30 on, found 0", [](auto& p) { p["deviation"][3] = 0; });
  expect("spans: expected one less than the 3 features of the model", [](auto& p) { p["spans"].push_back(5); });
  expect("spans: expected numbers from 1.0 on, found 0.5", [](auto& p) { p["spans"][0] = 0.5; });
  expect("unknown key 'horizont'", [](auto& p) { p["horizont"] = 1; });
  expect("version", [](auto& p) { p["version"] = 2; });
}

TEST(Maintenance, SaysWhatIsWrong) {
  const auto expect = [](const std::vector<std::string>& command, const std::string& input, int code,
                         const std::string& text) {
    const Finished finished = run_program(command, input);
    EXPECT_EQ(finished.exit_code, code) << finished.err;
    EXPECT_THAT(finished.err, StartsWith("trine-maintenance: error: "));
    EXPECT_THAT(finished.err, HasSubstr(text));
    EXPECT_EQ(finished.out, "");
  };
  expect(with_model({}), "", 2, "--file");
  expect(with_model({"-f", "-"}), "unit;cycle\n", 2, "standard input, line 1: expected commas");
  expect(with_model({"-f", "/no/such/file"}), "", 1, "/no/such/file");
  expect(with_model({"-f", "-", "--unit", "7"}), csv(2), 2, "no unit '7'");
  expect(with_model({"-f", "-", "--column", "T24"}), csv(2), 2, "--column: expected NAME=COLUMN, found 'T24'");
  expect(with_model({"-f", "-", "--alarm", "2"}), csv(2), 2, "--alarm");
  expect(with_model({"-f", "-", "--rul", "x", "--to-failure"}), csv(2), 2, "--rul");
  expect(with_model({"-f", "-", "--pictures", "/no/such/folder"}), csv(2), 1, "/no/such/folder");
  expect({"trine-maintenance", "-m", std::string(TRINE_MODELS_DIR) + "/shakespeare", "-f", "-"}, csv(2), 3,
         "expected a model of sensor readings, found one of tokens");
  expect({"trine-maintenance", "-m", std::string(TRINE_TEST_DATA) + "/grid_classification", "-f", "-"}, csv(2), 3,
         "expected a model with output.kind regression, found classification");
}

}  // namespace
}  // namespace trine::test
#endif
