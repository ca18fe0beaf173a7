// SPDX-License-Identifier: Apache-2.0
// Colours of experts and of loads.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace example {

struct Color {
  double red = 0.0;  // each from 0 to 1
  double green = 0.0;
  double blue = 0.0;

  [[nodiscard]] std::string hex() const {
    std::string text = "#";
    for (const double value : {red, green, blue}) {
      const auto byte = static_cast<unsigned>(std::lround(255.0 * std::clamp(value, 0.0, 1.0)));
      text += {"0123456789abcdef"[byte / 16], "0123456789abcdef"[byte % 16]};
    }
    return text;
  }
  /// Is white read more easily on this colour than black (WCAG 2.1 relative luminance)?
  [[nodiscard]] bool is_dark() const {
    const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) <= 0.30;
  }
};

[[nodiscard]] inline Color mix(const Color& a, const Color& b, double share_of_b) {
  const auto between = [&](double x, double y) { return x + (y - x) * share_of_b; };
  return {between(a.red, b.red), between(a.green, b.green), between(a.blue, b.blue)};
}

/// OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab): equal distances look equal. 0.02 is just noticeable.
struct OkLab {
  double lightness = 0.0;
  double a = 0.0;
  double b = 0.0;

  [[nodiscard]] static OkLab of(const Color& color) {
    const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
    const double red = linear(color.red);
    const double green = linear(color.green);
    const double blue = linear(color.blue);
    const double l = std::cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
    const double m = std::cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
    const double s = std::cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
    return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
  }
  /// Parts outside 0 to 1 mean that sRGB does not have this colour.
  [[nodiscard]] Color to_srgb() const {
    const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3.0);
    const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3.0);
    const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3.0);
    const auto gamma = [](double c) { return c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1.0 / 2.4) - 0.055; };
    return {gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            gamma(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
  }
  [[nodiscard]] double distance(const OkLab& other) const {
    return std::hypot(lightness - other.lightness, a - other.a, b - other.b);
  }
};

/// The largest number of colours that a palette has; further experts repeat them.
inline constexpr std::size_t kMostColors = 256;

/// Distinct colours for experts. The first 8 are those of Okabe & Ito (2008), which colour-blind people tell apart,
/// lightened; each further one is the colour of a grid in OKLab that is farthest from all before it.
[[nodiscard]] inline std::vector<Color> expert_palette(std::size_t experts) {
  constexpr std::array<Color, 8> kOkabeIto = {{{0.337, 0.706, 0.914},
                                               {0.902, 0.624, 0.000},
                                               {0.000, 0.620, 0.451},
                                               {0.941, 0.894, 0.259},
                                               {0.800, 0.475, 0.655},
                                               {0.000, 0.447, 0.698},
                                               {0.835, 0.369, 0.000},
                                               {0.600, 0.600, 0.600}}};
  std::vector<Color> palette;
  for (const Color& color : kOkabeIto) palette.push_back(mix(color, {1.0, 1.0, 1.0}, 0.25));

  std::vector<OkLab> grid;
  for (int lightness = 46; lightness <= 94; lightness += 4)
    for (int a = -26; a <= 26; a += 2)
      for (int b = -20; b <= 20; b += 2) {
        const OkLab candidate{lightness / 100.0, a / 100.0, b / 100.0};
        const Color color = candidate.to_srgb();
        const auto shown = [](double part) { return part >= 0.0 && part <= 1.0; };
        if (shown(color.red) && shown(color.green) && shown(color.blue)) grid.push_back(candidate);
      }
  std::vector<double> nearest(grid.size(), std::numeric_limits<double>::max());  // to what the palette has
  const auto take = [&](const OkLab& color) {
    for (std::size_t i = 0; i < grid.size(); ++i) nearest[i] = std::min(nearest[i], grid[i].distance(color));
  };
  for (const Color& color : palette) take(OkLab::of(color));
  while (palette.size() < std::min(experts, kMostColors)) {
    const auto farthest = std::ranges::max_element(nearest) - nearest.begin();
    const OkLab chosen = grid[static_cast<std::size_t>(farthest)];
    palette.push_back(chosen.to_srgb());
    take(chosen);
  }
  palette.resize(std::min(experts, kMostColors));
  return palette;
}

/// Load relative to an even share: 1 is white, less is blue, more is orange, both darker with each doubling.
[[nodiscard]] inline Color color_of_load(double relative) {
  constexpr Color kWhite = {0.970, 0.970, 0.965};
  constexpr Color kLess = {0.129, 0.400, 0.674};
  constexpr Color kMore = {0.753, 0.353, 0.020};
  const double doublings = relative > 0.0 ? std::log2(relative) : -2.0;
  const double depth = std::pow(std::min(std::abs(doublings), 2.0) / 2.0, 0.8);
  return mix(kWhite, doublings < 0.0 ? kLess : kMore, depth);
}

}  // namespace example
