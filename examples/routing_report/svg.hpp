// SPDX-License-Identifier: Apache-2.0
// The little of SVG that the report needs, and its colours.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <string_view>

#include "common/terminal.hpp"

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
  /// Black or white, whichever is read more easily on this colour (WCAG 2.1 relative luminance).
  [[nodiscard]] const char* ink() const {
    const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) > 0.30 ? "#1a1a1a" : "#ffffff";
  }
};

[[nodiscard]] inline Color mix(const Color& a, const Color& b, double share_of_b) {
  const auto between = [&](double x, double y) { return x + (y - x) * share_of_b; };
  return {between(a.red, b.red), between(a.green, b.green), between(a.blue, b.blue)};
}

/// OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab) to sRGB: equal steps look equal. hue: in turns.
[[nodiscard]] inline Color oklch(double lightness, double chroma, double hue) {
  const double a = chroma * std::cos(2.0 * std::numbers::pi * hue);
  const double b = chroma * std::sin(2.0 * std::numbers::pi * hue);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3.0);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3.0);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3.0);
  const auto gamma = [](double c) {
    return c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(std::max(c, 0.0), 1.0 / 2.4) - 0.055;
  };
  return {gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          gamma(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

/// A colour for each expert. Up to 8: those of Okabe & Ito (2008), which colour-blind people tell apart, lightened.
/// More: around the wheel in three levels of lightness; the number in the cell says which expert it is.
[[nodiscard]] inline Color color_of_expert(std::size_t expert, std::size_t experts) {
  constexpr std::array<Color, 8> kOkabeIto = {{{0.337, 0.706, 0.914},
                                               {0.902, 0.624, 0.000},
                                               {0.000, 0.620, 0.451},
                                               {0.941, 0.894, 0.259},
                                               {0.800, 0.475, 0.655},
                                               {0.000, 0.447, 0.698},
                                               {0.835, 0.369, 0.000},
                                               {0.600, 0.600, 0.600}}};
  if (experts <= kOkabeIto.size()) return mix(kOkabeIto[expert], {1.0, 1.0, 1.0}, 0.25);
  constexpr std::array<double, 3> kLightness = {0.84, 0.72, 0.60};
  return oklch(kLightness[expert % 3], 0.105, static_cast<double>(expert) / static_cast<double>(experts));
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

[[nodiscard]] inline std::string xml_escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// Appends elements to a drawing. Lengths in px, y downwards.
class Svg {
 public:
  void rect(double x, double y, double width, double height, const std::string& fill, const std::string& more = {}) {
    body_ += "<rect x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" width=\"" + fixed(std::max(width, 0.0), 1) +
             "\" height=\"" + fixed(height, 1) + "\" fill=\"" + fill + "\"" + (more.empty() ? "" : " " + more) + "/>\n";
  }
  /// `style`: names of the style sheet below. The text is escaped here.
  void text(double x, double y, const std::string& style, std::string_view content, const std::string& more = {}) {
    body_ += "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" class=\"" + style + "\"" +
             (more.empty() ? "" : " " + more) + ">" + xml_escaped(content) + "</text>\n";
  }

  [[nodiscard]] std::string document(double width, double height, const std::string& title) const {
    const std::string size = fixed(width, 0) + " " + fixed(height, 0);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size + "\" width=\"" + fixed(width, 0) +
           "\" height=\"" + fixed(height, 0) + "\" role=\"img\">\n<title>" + xml_escaped(title) +
           "</title>\n<style>\n"
           "text { font-family: Inter, 'Source Sans 3', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif;"
           " font-size: 11px; fill: #1a1a1a }\n"
           ".title { font-size: 19px; font-weight: 600 }\n"
           ".panel { font-size: 13px; font-weight: 600 }\n"
           ".soft { fill: #666666 }\n"
           ".small { font-size: 9.5px }\n"
           ".token { font-family: 'JetBrains Mono', 'SF Mono', Menlo, 'DejaVu Sans Mono', monospace; font-size: 11px;"
           " white-space: pre }\n"
           ".middle { text-anchor: middle }\n"
           ".end { text-anchor: end }\n"
           "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" +
           body_ + "</svg>\n";
  }

 private:
  std::string body_;
};

}  // namespace example
