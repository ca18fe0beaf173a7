// SPDX-License-Identifier: Apache-2.0
// The little of SVG that the figures of the programs need.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/terminal.hpp"

namespace example {

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

/// "12.5", "12": a length with at most one decimal.
[[nodiscard]] inline std::string length(double value) {
  std::string text = fixed(value, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

/// "0.97"; a dash for what is no number.
[[nodiscard]] inline std::string figure(double value, int decimals) {
  return std::isfinite(value) ? fixed(value, decimals) : "\u2013";
}

/// Appends elements to a drawing. Lengths in px, y downwards.
class Svg {
 public:
  void rect(double x, double y, double width, double height, const std::string& fill) {
    body_ += "<rect x=\"" + length(x) + "\" y=\"" + length(y) + "\" width=\"" + length(std::max(width, 0.0)) +
             "\" height=\"" + length(height) + "\" fill=\"" + fill + "\"/>\n";
  }
  /// `style`: names of the style sheet below. The text is escaped here.
  /// `fill`: empty for the colour of the style.
  void text(double x, double y, std::string_view style, std::string_view content, std::string_view fill = {}) {
    body_ += "<text x=\"" + length(x) + "\" y=\"" + length(y) + "\"";
    if (!style.empty()) body_ += " class=\"" + std::string(style) + "\"";
    if (!fill.empty()) body_ += " style=\"fill: " + std::string(fill) + "\"";
    body_ += ">" + xml_escaped(content) + "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const std::string& stroke) {
    body_ += "<line x1=\"" + length(x1) + "\" y1=\"" + length(y1) + "\" x2=\"" + length(x2) + "\" y2=\"" + length(y2) +
             "\" stroke=\"" + stroke + "\"/>\n";
  }
  /// `dashes`: lengths of dashes and gaps, such as "5 4"; empty for none.
  void polyline(std::span<const std::pair<double, double>> points, const std::string& stroke, double width,
                const std::string& dashes = {}) {
    body_ += "<polyline points=\"" + joined(points) + "\" fill=\"none\" stroke=\"" + stroke + "\" stroke-width=\"" +
             length(width) + "\"" + (dashes.empty() ? "" : " stroke-dasharray=\"" + dashes + "\"") + "/>\n";
  }
  void polygon(std::span<const std::pair<double, double>> points, const std::string& fill) {
    body_ += "<polygon points=\"" + joined(points) + "\" fill=\"" + fill + "\"/>\n";
  }
  /// Elements that are written already.
  void raw(std::string_view elements) { body_ += elements; }

  /// The elements so far.
  [[nodiscard]] const std::string& body() const { return body_; }

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
           ".light { fill: #ffffff }\n"
           ".small { font-size: 9.5px }\n"
           ".token { font-family: 'JetBrains Mono', 'SF Mono', Menlo, 'DejaVu Sans Mono', monospace; font-size: 11px;"
           " white-space: pre }\n"
           ".middle { text-anchor: middle }\n"
           ".end { text-anchor: end }\n"
           "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" +
           body_ + "</svg>\n";
  }

 private:
  [[nodiscard]] static std::string joined(std::span<const std::pair<double, double>> points) {
    std::string text;
    for (const auto& [x, y] : points) text += (text.empty() ? "" : " ") + length(x) + "," + length(y);
    return text;
  }

  std::string body_;
};

}  // namespace example
