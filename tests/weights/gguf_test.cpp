// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/gguf.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/quant/weight_formats.hpp>

#include "support/expect_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using test::gguf_array;
using test::gguf_bytes;
using test::gguf_header;
using test::gguf_tensor;
using test::gguf_value;
using test::GgufWriter;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_0 = 2;  // 18 bytes for 32 elements
constexpr std::uint32_t kQ4_2 = 4;  // removed
constexpr std::uint32_t kQ8_1 = 9;  // of activations only: no file has it, and trine does not read it
constexpr std::uint32_t kI8 = 24;
constexpr std::uint64_t kHuge = ~std::uint64_t{0};

class GgufTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path write(const std::string& bytes, const std::string& name = "m.gguf") const {
    return directory_.write(name, bytes);
  }
  [[nodiscard]] std::string in_folder(const std::string& file) const { return (directory_.path() / file).string(); }
  // The file is refused with that text after its name.
  void expect_refused(const std::string& bytes, const std::string& text, ErrorKind kind = ErrorKind::damaged) const {
    const std::filesystem::path file = write(bytes);
    for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
      try {
        static_cast<void>(GgufFile(file, access));
        ADD_FAILURE() << "expected an error: " << text;
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()), file.string() + ": " + text);
        EXPECT_EQ(error.kind(), kind) << text;
        EXPECT_EQ(error.path(), file.string()) << text;
      }
    }
  }
  // The same for a tensor described by `description`, with `data` after it.
  void expect_tensor_refused(const std::string& description, const std::string& text,
                             ErrorKind kind = ErrorKind::damaged) const {
    expect_refused(gguf_header(3, 1, 0) + description + std::string(64, '\0'), text, kind);
  }
  // The same for a file with one value.
  void expect_value_refused(const std::string& entry, const std::string& text,
                            ErrorKind kind = ErrorKind::damaged) const {
    expect_refused(gguf_header(3, 0, 1) + entry, text, kind);
  }

  test::TemporaryDirectory directory_;
};

TEST_F(GgufTest, GivesTensorsInRowMajorOrder) {
  const std::string bytes = "abcdefghijklmnopqrstuvwx";
  const auto file = write(GgufWriter().add("norm", kF32, {1}, "1234").add("w", kF32, {3, 2}, bytes).file());
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    const GgufFile source(file, access);
    EXPECT_EQ(source.version(), 3U);
    EXPECT_EQ(source.source_name(), file.string());
    EXPECT_THAT(source.files(), ElementsAre(file.string()));
    EXPECT_THAT(source.names(), ElementsAre("norm", "w"));
    const StoredTensor* w = source.find("w");
    ASSERT_NE(w, nullptr);
    EXPECT_EQ(w->dtype, DType::f32);
    EXPECT_THAT(w->shape, ElementsAre(3, 2));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(w->bytes.data()), w->bytes.size()), bytes);
    EXPECT_EQ(source.find("absent"), nullptr);
    EXPECT_EQ(source.source_name_of("w"), file.string());
    EXPECT_EQ(source.source_name_of("absent"), file.string());
  }
}

TEST_F(GgufTest, ReadsVersionTwo) { EXPECT_EQ(GgufFile(write(GgufWriter(2).file())).version(), 2U); }

TEST_F(GgufTest, AcceptsAFileOfMetadataOnly) {
  const GgufFile source(write(gguf_header(3, 0, 1) + gguf_value("a", 7, std::string(1, '\1'))));
  EXPECT_TRUE(source.names().empty());
  EXPECT_TRUE(source.metadata().boolean("a"));
}

TEST_F(GgufTest, AcceptsScalarsAndEmptyTensors) {
  const GgufFile source(write(
      GgufWriter().add("scalar", kF32, {}, "1234").add("empty", kF32, {0, 7}, "").add("z", kI8, {1}, "z").file()));
  EXPECT_TRUE(source.find("scalar")->shape.empty());
  EXPECT_EQ(source.find("scalar")->bytes.size(), 4U);
  EXPECT_THAT(source.find("empty")->shape, ElementsAre(0, 7));
  EXPECT_TRUE(source.find("empty")->bytes.empty());
  EXPECT_EQ(source.find("z")->bytes[0], std::byte{'z'});
}

TEST_F(GgufTest, AcceptsGapsAndBytesAfterTheLastTensor) {
  const GgufFile source(write(GgufWriter()
                                  .add("a", kI8, {1}, "a" + std::string(63, '-'))
                                  .add("b", kI8, {1}, "b and what nobody reads")
                                  .file()));
  EXPECT_EQ(source.find("a")->bytes[0], std::byte{'a'});
  EXPECT_EQ(source.find("b")->bytes[0], std::byte{'b'});
  EXPECT_EQ(source.find("b")->bytes.size(), 1U);
}

TEST_F(GgufTest, AlignsViewsWhateverTheAlignmentOfTheFile) {
  for (const std::uint32_t alignment : {1U, 2U, 64U, 4096U}) {
    // Keys of different lengths: the data begins at every residue of 8.
    for (std::size_t length = 1; length <= 8; ++length) {
      const GgufFile source(write(GgufWriter()
                                      .align(alignment)
                                      .set("general.alignment", alignment)
                                      .set(std::string(length, 'k'), std::uint8_t{0})
                                      .add("a", kI8, {1}, "a")
                                      .add("b", kF32, {2}, "12345678")
                                      .file()));
      const std::span<const std::byte> bytes = source.find("b")->bytes;
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "12345678");
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 4, 0U) << alignment;
    }
  }
}

TEST_F(GgufTest, RefusesTheTensorsOfATypeThatTrineDoesNotRead) {
  const auto file = write(GgufWriter().add("ok", kI8, {1}, "x").add("w", kQ8_1, {2, 32}, std::string(72, 'q')).file());
  const GgufFile source(file);  // opens, so that its types can be shown
  EXPECT_THAT(source.names(), ElementsAre("ok", "w"));
  EXPECT_NE(source.find("ok"), nullptr);
  EXPECT_EQ(source.tensors().at("w").type->name, "Q8_1");
  EXPECT_EQ(source.tensors().at("w").stored.bytes.size(), 72U);
  EXPECT_ERROR(source.find("w"), WeightError, file.string() + ": tensor 'w': its type Q8_1 is not supported");
}

TEST_F(GgufTest, RecognisesTheFormatByItsContent) {
  EXPECT_TRUE(is_gguf(write(GgufWriter().file(), "sha256-0123")));
  EXPECT_TRUE(is_gguf(write("GGUF", "magic")));
  EXPECT_FALSE(is_gguf(write("GGU", "short.gguf")));
  EXPECT_FALSE(is_gguf(write("", "empty.gguf")));
  EXPECT_FALSE(is_gguf(write("GGML and more", "old.gguf")));
  EXPECT_FALSE(is_gguf(directory_.path()));
  EXPECT_FALSE(is_gguf(in_folder("absent.gguf")));
}

TEST_F(GgufTest, NamesWhatIsNoGgufFile) {
  expect_refused("", "expected a file that begins with 'GGUF', found ''");
  expect_refused("GGU", "expected a file that begins with 'GGUF', found 'GGU'");
  expect_refused("lmgg....", "expected a file that begins with 'GGUF', found 'lmgg'");
  expect_refused("GGUF\1", "header: expected 4 more bytes, found the end of the file after 1");
  expect_refused(gguf_header(3, 0, 0).substr(0, 23),
                 "header: expected 8 more bytes, found the end of the file after 7");
}

TEST_F(GgufTest, RefusesOtherVersionsByName) {
  const std::string expected = "expected a little-endian GGUF file of version 2 or 3, found ";
  for (const std::uint32_t version : {0U, 1U, 4U, 65537U})
    expect_refused(gguf_header(version, 0, 0), expected + "version " + std::to_string(version), ErrorKind::unsupported);
  for (const std::uint32_t version : {2U << 24U, 3U << 24U})
    expect_refused(gguf_header(version, 0, 0), expected + "a big-endian file", ErrorKind::unsupported);
}

TEST_F(GgufTest, RefusesCountsThatTheFileCannotHold) {
  const std::string expected =
      "header: expected no more values and tensors than the 50 bytes after it can hold, found ";
  const std::string rest(50, '\0');
  expect_refused(gguf_header(3, 0, 4) + rest, expected + "4 values and 0 tensors");
  expect_refused(gguf_header(3, 3, 0) + rest, expected + "0 values and 3 tensors");
  expect_refused(gguf_header(3, 2, 1) + rest, expected + "1 values and 2 tensors");
  expect_refused(gguf_header(3, kHuge, 0) + rest, expected + "0 values and 18446744073709551615 tensors");
  expect_refused(gguf_header(3, 0, kHuge) + rest, expected + "18446744073709551615 values and 0 tensors");
  // Each product wraps to a small number, and so does their sum.
  expect_refused(gguf_header(3, kHuge / 24 + 1, 0) + rest, expected + "0 values and 768614336404564651 tensors");
  expect_refused(gguf_header(3, kHuge / 24, kHuge / 13) + rest,
                 expected + "1418980313362273201 values and 768614336404564650 tensors");
}

TEST_F(GgufTest, RefusesDamagedMetadata) {
  expect_value_refused(
      gguf_bytes(kHuge) + "key and so on",
      "a key of the metadata: expected 18446744073709551615 more bytes, found the end of the file after 13");
  expect_value_refused(gguf_value("", 0, "1"), "metadata: expected a key, found an empty one");
  expect_value_refused(gguf_value("k", 13, "1"), "k: expected a type of values from 0 to 12, found 13");
  expect_value_refused(gguf_value("k", 9, gguf_array(99, 0, "")),
                       "k: expected a type of values from 0 to 12, found 99");
  expect_value_refused(gguf_value("k\n", 4, "123"), "k\\x0a: expected 4 more bytes, found the end of the file after 3");
  expect_value_refused(gguf_value("k", 8, gguf_bytes(std::uint64_t{4}) + "123"),
                       "k: expected 4 more bytes, found the end of the file after 3");
  expect_value_refused(gguf_value("k", 7, "\2"), "k: expected 0 or 1 for a bool, found another byte");
  expect_value_refused(gguf_value("k", 9, gguf_array(7, 2, "\1\2")),
                       "k: expected 0 or 1 for a bool, found another byte");
  expect_value_refused(gguf_value("k", 9, gguf_array(9, 0, "")),
                       "k: expected an array of plain values, found one of arrays", ErrorKind::unsupported);
  expect_refused(gguf_header(3, 0, 2) + gguf_value("k", 7, "\1") + gguf_value("k", 7, "\1"),
                 "k: expected one value, found a second one");
}

TEST_F(GgufTest, RefusesArraysThatTheFileCannotHold) {
  expect_value_refused(gguf_value("k", 9, gguf_array(4, 2, "1234567")),
                       "k: expected 8 more bytes, found the end of the file after 7");
  expect_value_refused(gguf_value("k", 9, gguf_array(8, 2, gguf_bytes("a"))),
                       "k: expected 8 more bytes, found the end of the file after 0");
  expect_value_refused(gguf_value("k", 9, gguf_array(8, kHuge, gguf_bytes("a"))),
                       "k: expected 8 more bytes, found the end of the file after 0");
  // 2^62 elements of 4 bytes and 2^61 of 8: the products wrap to 0.
  for (const std::uint32_t type : {4U, 10U})
    expect_value_refused(gguf_value("k", 9, gguf_array(type, std::uint64_t{1} << (type == 4 ? 62U : 61U), "1234")),
                         "k: expected 18446744073709551615 more bytes, found the end of the file after 4");
}

TEST_F(GgufTest, RefusesImpossibleAlignments) {
  const std::string key = "general.alignment";
  expect_value_refused(gguf_value(key, 4, gguf_bytes(std::uint32_t{0})),
                       key + ": expected an integer from 1 to 2147483648, found u32 0", ErrorKind::out_of_range);
  expect_value_refused(gguf_value(key, 4, gguf_bytes(std::uint32_t{48})),
                       key + ": expected a power of two, found u32 48", ErrorKind::out_of_range);
  expect_value_refused(gguf_value(key, 10, gguf_bytes(std::uint64_t{1} << 32U)),
                       key + ": expected an integer from 1 to 2147483648, found u64 4294967296",
                       ErrorKind::out_of_range);
  expect_value_refused(gguf_value(key, 8, gguf_bytes("32")),
                       key + ": expected an integer from 1 to 2147483648, found string '32'");
}

TEST_F(GgufTest, RefusesDamagedDescriptionsOfTensors) {
  expect_tensor_refused(gguf_bytes(std::uint64_t{1000}) + "w",
                        "the name of a tensor: expected 1000 more bytes, found the end of the file after 65");
  expect_tensor_refused(gguf_tensor("w", {1, 1, 1, 1, 1}, kF32, 0), "tensor 'w': expected at most 4 extents, found 5");
  expect_refused(gguf_header(3, 1, 0) + gguf_bytes("wwwwwwww") + gguf_bytes(std::uint32_t{4}) + "1234567",
                 "tensor 'wwwwwwww': expected 8 more bytes, found the end of the file after 7");
  expect_tensor_refused(gguf_tensor("w", {1}, 43, 0), "tensor 'w': expected a type of ggml from 0 to 42, found 43",
                        ErrorKind::unsupported);
  expect_tensor_refused(gguf_tensor("w", {1}, ~std::uint32_t{0}, 0),
                        "tensor 'w': expected a type of ggml from 0 to 42, found 4294967295", ErrorKind::unsupported);
  expect_tensor_refused(gguf_tensor("w", {32}, kQ4_2, 0), "tensor 'w': its type Q4_2 was removed from the format",
                        ErrorKind::unsupported);
  expect_tensor_refused(gguf_tensor("w", {33, 2}, kQ4_0, 0),
                        "tensor 'w': expected rows of a multiple of 32 for Q4_0, found [2, 33]");
  expect_tensor_refused(gguf_tensor("w", {}, kQ4_0, 0),
                        "tensor 'w': expected rows of a multiple of 32 for Q4_0, found []");
  expect_tensor_refused(gguf_tensor("w", {4}, kF32, 33), "tensor 'w': offset: expected a multiple of 32, found 33");
}

TEST_F(GgufTest, RefusesShapesWhoseSizeWraps) {
  const std::string tail = " has more bytes than 64 bits count";
  const std::uint64_t half = std::uint64_t{1} << 32U;
  expect_tensor_refused(gguf_tensor("w", {half, half}, kI8, 0), "tensor 'w': shape [4294967296, 4294967296]" + tail);
  expect_tensor_refused(gguf_tensor("w", {half, half / 4}, kF32, 0),
                        "tensor 'w': shape [1073741824, 4294967296]" + tail);
  // A factor of 0 does not hide it.
  expect_tensor_refused(gguf_tensor("w", {half, half, 0}, kF32, 0),
                        "tensor 'w': shape [0, 4294967296, 4294967296]" + tail);
  // The size fits; its sum with the offset does not, or that with the begin of the data.
  // wraps.
  const std::uint64_t last = kHuge / 32 * 32;
  expect_tensor_refused(gguf_tensor("w", {64}, kI8, last),
                        "tensor 'w': offset: expected one within 64 bits, found 18446744073709551584");
  expect_tensor_refused(gguf_tensor("w", {16}, kI8, last),
                        "tensor 'w': offset: expected one within 64 bits, found 18446744073709551584");
}

TEST_F(GgufTest, SaysHowManyBytesOfACutFileAreMissing) {
  const std::string whole =
      GgufWriter().add("a", kF32, {20}, std::string(80, 'a')).add("b", kI8, {10}, "0123456789").file();
  const std::size_t size = whole.size();
  for (const std::size_t missing : {std::size_t{1}, std::size_t{10}, std::size_t{11}, std::size_t{80}}) {
    expect_refused(whole.substr(0, size - missing), "expected a file of at least " + std::to_string(size) +
                                                        " bytes, found " + std::to_string(size - missing) + ": " +
                                                        std::to_string(missing) + " bytes are missing at its end");
  }
  // Wherever it is cut, it is refused.
  for (std::size_t bytes = 0; bytes < size; ++bytes) EXPECT_THROW(GgufFile(write(whole.substr(0, bytes))), WeightError);
  EXPECT_NO_THROW(GgufFile(write(whole)));
}

TEST_F(GgufTest, RefusesATensorTwice) {
  expect_refused(GgufWriter().add("w", kI8, {1}, "1").add("w", kI8, {1}, "2").file(),
                 "tensor 'w': expected one tensor of this name, found a second one");
}

TEST_F(GgufTest, RefusesTensorsThatOverlap) {
  const std::string first(64, '1');
  expect_refused(GgufWriter().add("a", kI8, {64}, first).add("b", kI8, {1}, "2", 32).file(),
                 "tensor 'b': expected bytes of its own, found some of tensor 'a'");
  expect_refused(GgufWriter().add("a", kI8, {64}, first).add("b", kI8, {64}, first, 0).file(),
                 "tensor 'b': expected bytes of its own, found some of tensor 'a'");
  // An empty one has none.
  EXPECT_NO_THROW(GgufFile(write(GgufWriter().add("a", kI8, {64}, first).add("b", kI8, {0}, "", 32).file())));
}

// "a" in the first part, "b" and "c" in the second, none in the third.
class SplitGgufTest : public GgufTest {
 protected:
  SplitGgufTest() {
    for (std::uint16_t i = 0; i < 3; ++i) write_part(i, part(i));
  }
  [[nodiscard]] static std::string name(int part) { return "m-0000" + std::to_string(part + 1) + "-of-00003.gguf"; }
  [[nodiscard]] static GgufWriter empty_part(std::uint16_t number, std::uint16_t count = 3, std::int32_t tensors = 3) {
    return GgufWriter().set("split.no", number).set("split.count", count).set("split.tensors.count", tensors);
  }
  [[nodiscard]] static GgufWriter part(std::uint16_t number) {
    GgufWriter writer = empty_part(number);
    if (number == 0) writer.set("general.architecture", std::string("x")).add("a", kI8, {1}, "a");
    if (number == 1) writer.add("b", kI8, {2}, "bb").add("c", kF32, {1}, "cccc");
    return writer;
  }
  void write_part(int number, const GgufWriter& writer) const { static_cast<void>(write(writer.file(), name(number))); }
  [[nodiscard]] std::string first() const { return in_folder(name(0)); }
};

TEST_F(SplitGgufTest, GivesTheTensorsOfAllParts) {
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    const GgufFile source(first(), access);
    EXPECT_THAT(source.names(), ElementsAre("a", "b", "c"));
    EXPECT_THAT(source.files(), ElementsAre(first(), in_folder(name(1)), in_folder(name(2))));
    EXPECT_EQ(source.find("b")->bytes[1], std::byte{'b'});
    EXPECT_EQ(source.source_name(), first());
    EXPECT_EQ(source.source_name_of("a"), first());
    EXPECT_EQ(source.source_name_of("c"), in_folder(name(1)));
    EXPECT_EQ(source.metadata().string("general.architecture"), "x");
  }
}

TEST_F(SplitGgufTest, TellsHowManyBytesOfAllPartsWereRead) {
  std::uint64_t total = 0;
  for (int i = 0; i < 3; ++i) total += std::filesystem::file_size(in_folder(name(i)));
  std::uint64_t last = 0;
  int calls = 0;
  const GgufFile source(first(), FileAccess::read, [&](const auto&, std::uint64_t done, std::uint64_t all) {
    EXPECT_EQ(all, total);
    EXPECT_GT(done, last);
    last = done;
    ++calls;
  });
  EXPECT_EQ(last, total);
  EXPECT_EQ(calls, 3);
}

TEST_F(SplitGgufTest, WantsTheFirstPart) {
  EXPECT_ERROR(
      GgufFile(in_folder(name(1))), WeightError,
      in_folder(name(1)) + ": expected the first part of a split file, found part 2 of 3; the first is " + first());
}

TEST_F(SplitGgufTest, WantsTheNameOfAPart) {
  EXPECT_ERROR(
      GgufFile(write(part(0).file(), "renamed.gguf")), WeightError,
      in_folder("renamed.gguf") + ": expected a name that ends with -00001-of-00003.gguf, as this is part 1 of 3");
  EXPECT_ERROR(GgufFile(write(part(1).file(), name(0))), WeightError,
               first() + ": expected a name that ends with -00002-of-00003.gguf, as this is part 2 of 3");
}

TEST_F(SplitGgufTest, NamesMissingParts) {
  std::filesystem::remove(in_folder(name(2)));
  EXPECT_ERROR(GgufFile(first()), FileError, first() + ": expected 3 parts, found 2; missing: " + in_folder(name(2)));
  std::filesystem::remove(in_folder(name(1)));
  EXPECT_ERROR(GgufFile(first()), FileError,
               first() + ": expected 3 parts, found 1; missing: " + in_folder(name(1)) + " and 1 more");
}

TEST_F(SplitGgufTest, NamesThePartThatIsDamaged) {
  static_cast<void>(write("GG", name(1)));
  EXPECT_ERROR(GgufFile(first()), WeightError, in_folder(name(1)) + ": expected a file that begins with 'GGUF'");
}

TEST_F(SplitGgufTest, RefusesPartsThatDoNotBelongTogether) {
  const auto expect = [&](const GgufWriter& second, const std::string& text) {
    write_part(1, second);
    try {
      static_cast<void>(GgufFile(first()));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), in_folder(name(1)) + ": " + text);
      EXPECT_EQ(error.path(), in_folder(name(1)));
    }
  };
  expect(empty_part(2).add("b", kI8, {2}, "bb").add("c", kI8, {1}, "c"),
         "split.no: expected 1, as the name of the file says, found u16 2");
  expect(empty_part(1, 4), "split.count: expected 3, as the first part says, found u16 4");
  expect(GgufWriter(), "split.no: expected an integer from 0 to 18446744073709551615, found none");
  expect(empty_part(1, 3, 4).add("b", kI8, {2}, "bb").add("c", kI8, {1}, "c"),
         "split.tensors.count: expected 3 tensors, as all parts hold, found i32 4");
  expect(empty_part(1).add("a", kI8, {1}, "a"), "tensor 'a': expected one tensor of this name, found a second one");
}

TEST_F(SplitGgufTest, RefusesASetThatLacksTensors) {
  write_part(1, empty_part(1).add("b", kI8, {2}, "bb"));
  EXPECT_ERROR(GgufFile(first()), ConfigError,
               first() + ": split.tensors.count: expected 2 tensors, as all parts hold, found i32 3");
}

TEST_F(SplitGgufTest, RefusesACountThatNamesCannotHave) {
  const auto file =
      write(GgufWriter().set("split.no", std::uint32_t{0}).set("split.count", std::uint32_t{65536}).file());
  EXPECT_ERROR(GgufFile(file), ConfigError, "split.count: expected an integer from 0 to 65535, found u32 65536");
}

TEST_F(SplitGgufTest, ACountOfOneIsNoSplit) {
  EXPECT_NO_THROW(GgufFile(write(GgufWriter().set("split.count", std::uint16_t{1}).file())));
  EXPECT_NO_THROW(GgufFile(write(GgufWriter().set("split.count", std::uint16_t{0}).file())));
}

TEST(GgmlTypes, AreInTheOrderOfTheirNumbers) {
  for (std::uint32_t id = 0; id < kGgmlTypes.size(); ++id) {
    EXPECT_EQ(kGgmlTypes[id].id, id);
    EXPECT_EQ(find_ggml_type(id), &kGgmlTypes[id]);
    EXPECT_EQ(kGgmlTypes[id].is_removed(), kGgmlTypes[id].block_bytes == 0);
    EXPECT_FALSE(kGgmlTypes[id].is_removed() && kGgmlTypes[id].dtype());
  }
  EXPECT_EQ(find_ggml_type(kGgmlTypes.size()), nullptr);
}

// What the table says of a type's size is what its format says.
TEST(GgmlTypes, HaveTheSizesOfTheirFormats) {
  for (const GgmlType& type : kGgmlTypes) {
    if (!type.dtype()) continue;
    const std::vector<std::size_t> shape{3, 2 * std::size_t{type.block_elements}};
    EXPECT_EQ(stored_bytes(*type.dtype(), shape), std::uint64_t{6} * type.block_bytes) << type.name;
  }
}

}  // namespace
}  // namespace trine
