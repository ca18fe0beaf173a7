// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/safetensors.hpp>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using test::safetensors_file;
using test::SafetensorsFileWriter;
using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::IsEmpty;

std::string counting(std::size_t bytes, unsigned first = 0) {
  std::string result(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) result[i] = static_cast<char>(first + i);
  return result;
}

std::string_view text_of(const StoredTensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()};
}

Safetensors open(const TemporaryDirectory& directory, const std::string& content, FileAccess access = FileAccess::map) {
  return Safetensors(directory.write("model.safetensors", content), access);
}

class SafetensorsByAccess : public testing::TestWithParam<FileAccess> {
 protected:
  TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Safetensors, SafetensorsByAccess, testing::Values(FileAccess::map, FileAccess::read),
                         [](const auto& instance) { return instance.param == FileAccess::map ? "map" : "read"; });

TEST_P(SafetensorsByAccess, GivesEveryTensorAsItIsStored) {
  SafetensorsFileWriter writer;
  writer.add("b", "BF16", {2, 3}, counting(12));
  writer.add("a", "F32", {2}, counting(8, 100));
  const Safetensors source = open(directory_, writer.file(), GetParam());
  EXPECT_THAT(source.names(), ElementsAre("a", "b"));
  EXPECT_EQ(source.source_name(), (directory_.path() / "model.safetensors").string());
  EXPECT_EQ(source.source_name_of("a"), source.source_name());
  EXPECT_EQ(source.find("c"), nullptr);
  const StoredTensor* b = source.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::bf16);
  EXPECT_THAT(b->shape, ElementsAre(2, 3));
  EXPECT_EQ(text_of(*b), counting(12));
  EXPECT_EQ(text_of(*source.find("a")), counting(8, 100));
}

TEST_P(SafetensorsByAccess, OutlivesTheNameOfItsFile) {
  SafetensorsFileWriter writer;
  writer.add("a", "U8", {3}, "abc");
  const Safetensors source = open(directory_, writer.file(), GetParam());
  std::filesystem::remove(directory_.path() / "model.safetensors");
  EXPECT_EQ(text_of(*source.find("a")), "abc");
}

TEST_P(SafetensorsByAccess, RefusesAnEmptyFileAndAFolder) {
  EXPECT_ERROR(open(directory_, "", GetParam()), WeightError,
               "model.safetensors: expected the 8 bytes of a header's length, found a file of 0 bytes");
  EXPECT_ERROR(Safetensors(directory_.path(), GetParam()), FileError, ": expected a regular file");
  EXPECT_ERROR(Safetensors(directory_.path() / "none", GetParam()), FileError, "none: cannot be opened");
}

// Views point into the mapped file, one after the other, so nothing was copied: but for the tensors that the file does
// not align, and only those.
TEST_P(SafetensorsByAccess, CopiesOnlyWhatIsNotAligned) {
  for (const std::size_t shift : {0U, 1U, 2U, 4U}) {
    SafetensorsFileWriter writer;
    writer.add("a", "U8", {2}, counting(2));
    writer.add("b", "F16", {1}, counting(2, 2));
    writer.add("c", "F32", {1}, counting(4, 4));
    writer.add("d", "F64", {1}, counting(8, 8));
    writer.add("e", "I64", {1}, counting(8, 16));
    const Safetensors source = open(directory_, writer.file(shift), GetParam());
    const std::byte* const data = source.find("a")->bytes.data();
    std::size_t offset = 0;
    for (const std::string_view name : source.names()) {
      const StoredTensor& tensor = *source.find(name);
      EXPECT_EQ(text_of(tensor), counting(tensor.bytes.size(), static_cast<unsigned>(offset))) << name;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % size_bytes(tensor.dtype), 0U) << name;
      const bool in_the_file = tensor.bytes.data() == data + offset;
      EXPECT_EQ(in_the_file, shift % size_bytes(tensor.dtype) == 0) << name << " with shift " << shift;
      offset += tensor.bytes.size();
    }
  }
}

TEST(Safetensors, HasEveryElementType) {
  SafetensorsFileWriter writer;
  for (const DTypeInfo& info : kDTypes) {
    std::string name(info.name);
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    writer.add(name, name, {3}, counting(3 * info.bytes));
  }
  const TemporaryDirectory directory;
  const Safetensors source = open(directory, writer.file());
  EXPECT_THAT(source.names(), ElementsAre("BF16", "BOOL", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I16",
                                          "I32", "I64", "I8", "U16", "U32", "U64", "U8"));
  for (const auto& [name, dtype, bytes] :
       {std::tuple("F8_E8M0", DType::f8_e8m0, 1U), std::tuple("BOOL", DType::boolean, 1U),
        std::tuple("U16", DType::u16, 2U), std::tuple("F64", DType::f64, 8U)}) {
    EXPECT_EQ(source.find(name)->dtype, dtype);
    EXPECT_EQ(source.find(name)->bytes.size(), 3 * bytes);
  }
}

TEST(Safetensors, MayHoldNothing) {
  const TemporaryDirectory directory;
  EXPECT_THAT(open(directory, safetensors_file("{}", "")).names(), IsEmpty());
  EXPECT_THAT(open(directory, safetensors_file(R"({"__metadata__":{"format":"pt","":""}})", "")).names(), IsEmpty());
}

// An empty tensor shares its offset with another one, before it or after it; a scalar has no extents.
TEST(Safetensors, HasEmptyTensorsAndScalars) {
  SafetensorsFileWriter writer;
  writer.add("empty first", "F32", {0}, "");
  writer.add("scalar", "F32", {}, counting(4));
  writer.add("empty between", "BF16", {3, 0, 5}, "");
  writer.add("last", "U8", {1}, counting(1));
  writer.add("empty last", "F64", {0, 18446744073709551615U}, "");
  const TemporaryDirectory directory;
  const Safetensors source = open(directory, writer.file());
  EXPECT_THAT(source.find("scalar")->shape, IsEmpty());
  EXPECT_EQ(text_of(*source.find("scalar")), counting(4));
  EXPECT_THAT(source.find("empty between")->shape, ElementsAre(3, 0, 5));
  for (const char* name : {"empty first", "empty between", "empty last"})
    EXPECT_TRUE(source.find(name)->bytes.empty()) << name;
}

// Of tensors that begin at the same byte the empty ones come first, whatever their names are.
TEST(Safetensors, OrdersEmptyTensorsByTheirOffsets) {
  std::string header = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  for (const char name : {'b', 'c', 'd'})
    header += std::string(",\"") + name + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  const TemporaryDirectory directory;
  const Safetensors source = open(directory, safetensors_file(header + "}", "xy"));
  EXPECT_EQ(text_of(*source.find("a")), "xy");
  EXPECT_TRUE(source.find("d")->bytes.empty());
}

// A file cut at any byte is an error of ours.
TEST(Safetensors, RefusesAFileCutAnywhere) {
  SafetensorsFileWriter writer;
  writer.add("a", "U8", {5}, "01234");
  writer.add("b", "F16", {2, 1}, "5678");
  const std::string whole = writer.file();
  const TemporaryDirectory directory;
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_ERROR(open(directory, whole.substr(0, length)), WeightError, "model.safetensors: ");
}

struct Damage {
  const char* name;      // of the row
  std::string content;   // of the file
  const char* expected;  // what the message says after the name of the file
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

class DamagedSafetensors : public testing::TestWithParam<Damage> {};

TEST_P(DamagedSafetensors, IsRefused) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(open(directory, GetParam().content), Error,
               (directory.path() / "model.safetensors").string() + ": " + GetParam().expected);
}

std::string row_name(const testing::TestParamInfo<Damage>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Length, DamagedSafetensors,
    testing::Values(
        Damage{"seven_bytes", "\2\0\0\0\0\0\0", "expected the 8 bytes of a header's length, found a file of"},
        Damage{"no_header", safetensors_file("", ""), "header: expected to begin with '{', found ''"},
        Damage{"one_too_long", safetensors_file(3, "{}", ""),
               "header: expected to end within the 10 bytes of the file, found a length of 3"},
        Damage{"above_the_limit", safetensors_file(100000001, "{}", ""),
               "header: expected at most 100000000 bytes, found 100000001"},
        Damage{"at_the_limit", safetensors_file(100000000, "{}", ""),
               "header: expected to end within the 10 bytes of the file, found a length of 100000000"},
        // 8 + n wraps to 7, and to 10, the size of the file
        Damage{"all_ones", safetensors_file(18446744073709551615U, "{}", ""), "header: expected at most 100000000"},
        Damage{"two_to_the_63", safetensors_file(9223372036854775808U, "{}", ""), "header: expected at most"}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Json, DamagedSafetensors,
    testing::Values(
        Damage{"space_first", safetensors_file(" {}", ""), "header: expected to begin with '{', found ' '"},
        Damage{"byte_order_mark", safetensors_file("\xef\xbb\xbf{}", ""), "header: expected to begin with '{'"},
        Damage{"list", safetensors_file("[]", ""), "header: expected to begin with '{', found '['"},
        Damage{"cut", safetensors_file("{", ""), "header: not valid JSON at byte 2"},
        Damage{"two_documents", safetensors_file("{}{}", ""), "header: not valid JSON at byte 3, near '{}{'"},
        Damage{"padded_with_nul", safetensors_file(std::string("{}\0", 3), ""), "header: not valid JSON at byte 3"},
        Damage{"not_utf8", safetensors_file("{\"\xff\":1}", ""), "header: not valid JSON at byte 3"},
        Damage{"surrogate", safetensors_file(R"({"\ud800":1})", ""), "header: not valid JSON at byte"},
        Damage{"not_a_number", safetensors_file(R"({"a":NaN})", ""), "header: not valid JSON at byte"},
        Damage{"deep", safetensors_file(R"({"a":)" + std::string(200, '[') + std::string(200, ']') + "}", ""),
               "header: expected at most 128 nested levels, found more"},
        Damage{"very_deep", safetensors_file(R"({"a":)" + std::string(1000000, '['), ""),
               "header: expected at most 128"},
        Damage{"twice",
               safetensors_file(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                                    "a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                "xy"),
               "header: key 'a' appears twice in one object"},
        Damage{"shape_twice",
               safetensors_file(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", "x"),
               "header: key 'shape' appears twice in one object"},
        Damage{"metadata_twice", safetensors_file(R"({"__metadata__":{},"__metadata__":{}})", ""),
               "header: key '__metadata__' appears twice in one object"},
        Damage{"metadata_number", safetensors_file(R"({"__metadata__":{"step":7}})", ""),
               "__metadata__: 'step': expected a string, found 7"},
        Damage{"metadata_nested", safetensors_file(R"({"__metadata__":{"a":{}}})", ""),
               "__metadata__: 'a': expected a string, found an object"},
        Damage{"metadata_list", safetensors_file(R"({"__metadata__":[]})", ""),
               "__metadata__: expected a JSON object, found a list"}),
    row_name);

// One tensor, 6 bytes of data.
std::string entry(const std::string& fields) { return safetensors_file("{\"a\":" + fields + "}", "012345"); }

INSTANTIATE_TEST_SUITE_P(
    Entry, DamagedSafetensors,
    testing::Values(Damage{"a_number", entry("7"), "tensor 'a': expected a JSON object, found 7"},
                    Damage{"without_dtype", entry(R"({"shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: expected a value, found none"},
                    Damage{"without_shape", entry(R"({"dtype":"U8","data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected a value, found none"},
                    Damage{"without_offsets", entry(R"({"dtype":"U8","shape":[6]})"),
                           "tensor 'a': data_offsets: expected a value, found none"},
                    Damage{"null_shape", entry(R"({"dtype":"U8","shape":null,"data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected a value, found none"},
                    Damage{"unknown_key", entry(R"({"dtype":"U8","shape":[6],"data_offsets":[0,6],"stride":[1]})"),
                           "tensor 'a': unknown key 'stride'"},
                    Damage{"dtype_number", entry(R"({"dtype":8,"shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: expected a string, found 8"},
                    Damage{"dtype_unknown", entry(R"({"dtype":"Q4_0","shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: expected an element type of the format, found 'Q4_0'"},
                    Damage{"dtype_lower_case", entry(R"({"dtype":"u8","shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: expected an element type of the format, found 'u8'"},
                    Damage{"dtype_mixed_case", entry(R"({"dtype":"Bf16","shape":[3],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: expected an element type of the format, found 'Bf16'"},
                    Damage{"dtype_empty", entry(R"({"dtype":"","shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: expected an element type of the format, found ''"},
                    Damage{"shape_text", entry(R"({"dtype":"U8","shape":"6","data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected a list of at most 64 integers, found '6'"},
                    Damage{"shape_negative", entry(R"({"dtype":"U8","shape":[-6],"data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected integers from 0 on, found -6"},
                    Damage{"shape_with_point", entry(R"({"dtype":"U8","shape":[6.0],"data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected integers from 0 on, found 6.0"},
                    Damage{"shape_beyond_64_bits",
                           entry(R"({"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected integers from 0 on, found 1.844674407370955"},
                    Damage{"shape_nested", entry(R"({"dtype":"U8","shape":[[6]],"data_offsets":[0,6]})"),
                           "tensor 'a': shape: expected integers from 0 on, found a list"},
                    Damage{"offsets_one", entry(R"({"dtype":"U8","shape":[6],"data_offsets":[0]})"),
                           "tensor 'a': data_offsets: expected a list of two integers from 0 on, found a list"},
                    Damage{"offsets_three", entry(R"({"dtype":"U8","shape":[6],"data_offsets":[0,6,6]})"),
                           "tensor 'a': data_offsets: expected a list of two integers from 0 on"},
                    Damage{"offsets_negative", entry(R"({"dtype":"U8","shape":[6],"data_offsets":[-6,0]})"),
                           "tensor 'a': data_offsets: expected a list of two integers from 0 on"},
                    Damage{"offsets_with_point", entry(R"({"dtype":"U8","shape":[6],"data_offsets":[0,6.0]})"),
                           "tensor 'a': data_offsets: expected a list of two integers from 0 on"},
                    Damage{"offsets_object", entry(R"({"dtype":"U8","shape":[6],"data_offsets":{"begin":0,"end":6}})"),
                           "tensor 'a': data_offsets: expected a list of two integers from 0 on, found an object"}),
    row_name);

// Types that the format knows and no kernel here reads; the sub-byte ones with the bytes that they would need.
INSTANTIATE_TEST_SUITE_P(
    OtherType, DamagedSafetensors,
    testing::Values(Damage{"F4", entry(R"({"dtype":"F4","shape":[12],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: no kernel of trine reads elements of type F4"},
                    Damage{"F6_E2M3", entry(R"({"dtype":"F6_E2M3","shape":[8],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: no kernel of trine reads elements of type F6_E2M3"},
                    Damage{"F6_E3M2", entry(R"({"dtype":"F6_E3M2","shape":[8],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: no kernel of trine reads elements of type F6_E3M2"},
                    Damage{"F8_E4M3FNUZ", entry(R"({"dtype":"F8_E4M3FNUZ","shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: no kernel of trine reads elements of type F8_E4M3FNUZ"},
                    Damage{"F8_E5M2FNUZ", entry(R"({"dtype":"F8_E5M2FNUZ","shape":[6],"data_offsets":[0,6]})"),
                           "tensor 'a': dtype: no kernel of trine reads elements of type F8_E5M2FNUZ"},
                    Damage{"C64", entry(R"({"dtype":"C64","shape":[],"data_offsets":[0,8]})"),
                           "tensor 'a': dtype: no kernel of trine reads elements of type C64"}),
    row_name);

// Two tensors, 8 bytes of data.
std::string pair_at(const std::string& a, const std::string& b, const std::string& data = "01234567") {
  return safetensors_file(R"({"a":{"dtype":"U8","shape":[)" + a + R"(]},"b":{"dtype":"U8","shape":[)" + b + "]}}",
                          data);
}

INSTANTIATE_TEST_SUITE_P(
    Ranges, DamagedSafetensors,
    testing::Values(
        Damage{"too_few_bytes", entry(R"({"dtype":"F16","shape":[4],"data_offsets":[0,6]})"),
               "tensor 'a': data_offsets: expected 8 bytes for f16 [4], found [0, 6]"},
        Damage{"too_many_bytes", entry(R"({"dtype":"F16","shape":[2],"data_offsets":[0,6]})"),
               "tensor 'a': data_offsets: expected 4 bytes for f16 [2], found [0, 6]"},
        Damage{"scalar_of_six_bytes", entry(R"({"dtype":"F32","shape":[],"data_offsets":[0,6]})"),
               "tensor 'a': data_offsets: expected 4 bytes for f32 [], found [0, 6]"},
        Damage{"empty_with_bytes", entry(R"({"dtype":"F32","shape":[0,4],"data_offsets":[0,6]})"),
               "tensor 'a': data_offsets: expected 0 bytes for f32 [0, 4], found [0, 6]"},
        Damage{"reversed", entry(R"({"dtype":"U8","shape":[6],"data_offsets":[6,0]})"),
               "tensor 'a': data_offsets: expected 6 bytes for u8 [6], found [6, 0]"},
        Damage{"reversed_so_that_it_wraps",  // 0 - (2^64 - 6) is 6
               entry(R"({"dtype":"U8","shape":[6],"data_offsets":[18446744073709551610,0]})"),
               "tensor 'a': data_offsets: expected 6 bytes for u8 [6], found [18446744073709551610, 0]"},
        Damage{"not_from_zero", entry(R"({"dtype":"U8","shape":[5],"data_offsets":[1,6]})"),
               "tensor 'a': data_offsets: expected to begin at 0, where the tensor before it ends, found 1"},
        Damage{"trailing_bytes", entry(R"({"dtype":"U8","shape":[5],"data_offsets":[0,5]})"),
               "expected 5 bytes of data, where the last tensor ends, found 6"},
        Damage{"no_tensor_but_data", safetensors_file("{}", "x"),
               "expected 0 bytes of data, where the last tensor ends, found 1"},
        Damage{"past_the_end", entry(R"({"dtype":"U8","shape":[7],"data_offsets":[0,7]})"),
               "expected 7 bytes of data, where the last tensor ends, found 6"},
        Damage{"far_past_the_end",
               entry(R"({"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]})"),
               "expected 18446744073709551615 bytes of data, where the last tensor ends, found 6"},
        Damage{"hole", pair_at(R"(3],"data_offsets":[0,3)", R"(4],"data_offsets":[4,8)"),
               "tensor 'b': data_offsets: expected to begin at 3, where the tensor before it ends, found 4"},
        Damage{"overlap", pair_at(R"(5],"data_offsets":[0,5)", R"(4],"data_offsets":[4,8)"),
               "tensor 'b': data_offsets: expected to begin at 5, where the tensor before it ends, found 4"},
        Damage{"same_range", pair_at(R"(8],"data_offsets":[0,8)", R"(8],"data_offsets":[0,8)"),
               "tensor 'b': data_offsets: expected to begin at 8, where the tensor before it ends, found 0"},
        Damage{"inside", pair_at(R"(8],"data_offsets":[0,8)", R"(2],"data_offsets":[2,4)"),
               "tensor 'b': data_offsets: expected to begin at 8, where the tensor before it ends, found 2"},
        Damage{"empty_inside", pair_at(R"(8],"data_offsets":[0,8)", R"(0],"data_offsets":[4,4)"),
               "tensor 'b': data_offsets: expected to begin at 8, where the tensor before it ends, found 4"},
        Damage{"empty_past_the_end", pair_at(R"(8],"data_offsets":[0,8)", R"(0],"data_offsets":[9,9)"),
               "tensor 'b': data_offsets: expected to begin at 8, where the tensor before it ends, found 9"}),
    row_name);

// Products that leave 64 bits, some of them for the very number of bytes that the offsets claim.
INSTANTIATE_TEST_SUITE_P(
    Overflow, DamagedSafetensors,
    testing::Values(Damage{"to_zero", entry(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
                           "tensor 'a': shape [4294967296, 4294967296] has more bytes than 64 bits count"},
                    Damage{"to_six", entry(R"({"dtype":"U8","shape":[9223372036854775811,2],"data_offsets":[0,6]})"),
                           "tensor 'a': shape [9223372036854775811, 2] has more bytes than 64 bits count"},
                    Damage{"bytes_of_elements",  // (2^63 + 3) * 2 is 6
                           entry(R"({"dtype":"F16","shape":[9223372036854775811],"data_offsets":[0,6]})"),
                           "tensor 'a': shape [9223372036854775811] has more bytes than 64 bits count"},
                    Damage{"hidden_by_a_zero",
                           entry(R"({"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]})"),
                           "tensor 'a': shape [4294967296, 4294967296, 0] has more bytes than 64 bits count"}),
    row_name);

TEST(Safetensors, TakesSixtyFourExtentsAndNoMore) {
  const auto file = [](std::size_t rank) {
    SafetensorsFileWriter writer;
    writer.add("a", "U8", std::vector<std::size_t>(rank, 1), "x");
    return writer.file();
  };
  const TemporaryDirectory directory;
  EXPECT_EQ(open(directory, file(64)).find("a")->shape.size(), 64U);
  EXPECT_ERROR(open(directory, file(65)), ConfigError, "shape: expected a list of at most 64 integers, found a list");
}

TEST(Safetensors, PutsNoByteOfAHostileNameIntoAMessage) {
  const std::string name = R"(\u001b[31m\n)" + std::string(1000, 'x');
  for (const char* fields : {"7", R"({"dtype":"U8","shape":[9],"data_offsets":[0,8]})", R"({"dtype":"X"})",
                             R"({"dtype":"U8","shape":[8],"data_offsets":[1,9]})"}) {
    const TemporaryDirectory directory;
    try {
      static_cast<void>(open(directory, safetensors_file("{\"" + name + "\":" + fields + "}", "01234567")));
      FAIL() << "expected an error for " << fields;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_THAT(message, testing::HasSubstr(R"(tensor '\x1b[31m\x0axxx)"));
      EXPECT_LT(message.size(), 400U);
    }
  }
}

}  // namespace
}  // namespace trine
