// SPDX-License-Identifier: Apache-2.0
// Templates that mean harm or do not know better: each gets one error with its line, in bounded time and memory. What
// templates render is in chat_template_golden_test.cpp.
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include <trine/text/jinja/engine.hpp>

#include "support/expect_error.hpp"

namespace trine::test {
namespace {

using templates::Template;
using templates::Value;

std::string render(std::string_view source, const Template::Context& context = {}, const TemplateLimits& limits = {}) {
  return Template(source, "t.jinja", limits).render(context, std::tm{}).bytes();
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST(TemplateEngine, SaysWhatIsWrongAndInWhichLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\n{{ s|uper }}", "t.jinja: line 2: no filter named 'uper'; the nearest one is 'upper'"},
      {"{{ s is strin }}", "t.jinja: line 1: no test named 'strin'; the nearest one is 'string'"},
      {"\n\n{% fro x in y %}", "t.jinja: line 3: no tag named 'fro'; the nearest one is 'for'"},
      {"{% include 'x' %}", "no tag named 'include'"},
      {"{% if x %}\n\n", "t.jinja: line 2: expected {% endif %}, found the end of the template"},
      {"{% for x in y %}{% endif %}", "no tag named 'endif'"},
      {"{{ 1 +\n\n }}", "t.jinja: line 3: expected an expression, found '}}'"},
      {"a\n{{ (1", "t.jinja: line 2: {{ without }}"},
      {"{# \n", "t.jinja: line 1: {# without #}"},
      {"\n{{ 'a }}", "line 2: a string without its closing quote"},
      {"{{ 99999999999999999999 }}", "expected a number of at most 64 bits, found '99999999999999999999'"},
      {"{{ '\\ud800' }}", "expected an escape of a character, found '\\ud800'"},
      {"{{ f(*x) }}", "unpacking of arguments with '*' is not supported"},
      {"{% for x in y recursive %}", "'recursive' loops are not supported"},
      {"a\n\n{{ message.content }}", "t.jinja: line 3: 'message' is undefined"},
      {"{{ 'a' + 1 }}", "cannot add str and int"},
      {"{{ 'a'.encode() }}", "method 'encode' of str is not supported"},
      {"{{ [].append(1) }}", "method 'append' of list is not supported"},
      {"{{ '%s' % 1 }}", "formatting of text with '%' is not supported"},
      {"{{ 'a'|trim(1) }}", "expected a str as 'chars' of trim, found int"},
      {"{{ 'a'|join(x=1) }}", "join: no argument named 'x'"},
      {"{{ 'a'|upper(1) }}", "expected at most 0 arguments, found 1"},
      {"{{ strftime_now('%Q') }}", "strftime_now: the format '%Q' is not supported"},
      {"x\n{{ raise_exception('Only user\\nand assistant \\u001b[31m roles') }}",
       "t.jinja: line 2: Only user and assistant  [31m roles"},
      {"{% macro m() %}\n{{ x.y }}{% endmacro %}\n{{ m() }}", "t.jinja: line 2: 'x' is undefined"},
      {"\xFF", "t.jinja: expected valid UTF-8"},
  };
  for (const auto& [source, message] : cases) {
    SCOPED_TRACE(source);
    EXPECT_ERROR(render(source), TemplateError, message);
  }
}

TEST(TemplateEngine, RefusesAnUnknownFilterInABranchOnlyWhenItIsReached) {
  EXPECT_EQ(render("{% if false %}{{ 1|nope }}{% endif %}a"), "a");
  EXPECT_ERROR(render("{% if true %}\n{{ 1|nope }}{% endif %}a"), TemplateError, "line 2: no filter named 'nope'");
}

TEST(TemplateEngine, BoundsTheNestingOfTheSource) {
  constexpr std::size_t kMany = 40000;
  const auto expression = [](const std::string& text) { return "{{ " + text + " }}"; };
  const std::vector<std::string> sources = {
      expression(repeated("(", kMany) + "1" + repeated(")", kMany)),
      expression(repeated("[", kMany) + repeated("]", kMany)),
      expression(repeated("{1:", kMany) + "1" + repeated("}", kMany)),
      expression(repeated("not ", kMany) + "1"),
      expression(repeated("-", kMany) + "1"),
      expression("1" + repeated(" + 1", kMany)),
      expression("1" + repeated(" and 1", kMany)),
      expression("1" + repeated(" if 1", kMany)),
      expression(repeated("1 if 1 else ", kMany) + "1"),
      expression("x" + repeated(".a", kMany)),
      expression("x" + repeated("[0]", kMany)),
      expression("x" + repeated("()", kMany)),
      expression("x" + repeated("|trim", kMany)),
      expression(repeated("x(", kMany) + repeated(")", kMany)),
      expression(repeated("x is in [", kMany) + repeated("]", kMany)),
      repeated("{% if 1 %}", kMany) + repeated("{% endif %}", kMany),
      repeated("{% for x in y %}", kMany),
      repeated("{% macro m() %}", kMany),
      repeated("{% set x %}", kMany),
      "{% set " + repeated("(", kMany) + "x" + repeated(")", kMany) + " = 1 %}",
      "{% set x" + repeated("|trim", kMany) + " %}{% endset %}",
      "{% for " + repeated("(", kMany) + "x" + repeated(")", kMany) + " in y %}",
  };
  for (const std::string& source : sources) {
    SCOPED_TRACE(source.substr(0, 40));
    EXPECT_ERROR(render(source), TemplateError, "more than ");
  }
  EXPECT_EQ(render("{{ " + repeated("(", 90) + "1" + repeated(")", 90) + " }}"), "1");
  EXPECT_EQ(render(repeated("{% if 1 %}", 90) + "x" + repeated("{% endif %}", 90)), "x");
  EXPECT_EQ(render("{{ 0" + repeated(" + 1", 150) + " }}"), "150");
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 20000) + "{% else %}x{% endif %}"), "x");
  EXPECT_EQ(render("{{ ''" + repeated(" ~ 1", 20000) + " }}").size(), 20000U);
}

TEST(TemplateEngine, BoundsTheWorkOfARendering) {
  const std::vector<std::string> sources = {
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(x) %}{{ m(x + 1) }}{% endmacro %}{{ m(0) }}",
      "{% macro m() %}{% for x in [1] %}{% if 1 %}{{ [m()] ~ 1 }}{% endif %}{% endfor %}{% endmacro %}{{ m() }}",
      "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ "
      "n() }}",
      "{{ range(100001) }}",
      "{{ range(-9223372036854775807, 9223372036854775807) }}",
      "{{ 'a' * 1000000000000 }}",
      "{{ 9223372036854775807 * 'aaaa' }}",
      "{{ [1] * 1000000000000 }}",
      "{{ [[1] * 1000000] * 1000000 }}",
      "{{ 'a' * 9000000 * 9000000 }}",
      "{% set n = namespace(s='a') %}{% for i in range(100) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
      "{% set n = namespace(s=['a']) %}{% for i in range(100) %}{% set n.s = n.s + n.s %}{% endfor %}",
      "{% set n = namespace(s=[]) %}{% for i in range(1000) %}{% set n.s = [n.s] %}{% endfor %}",
      "{% set n = namespace(s={}) %}{% for i in range(1000) %}{% set n.s = {'a': n.s} %}{% endfor %}",
      "{% set n = namespace(s=loop) %}{% for i in range(1000) %}{% for j in [n.s] %}{% set n.s = loop %}{% endfor %}{% "
      "endfor %}",
      "{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}",
      "{{ ('a' * 1000000)|replace('', 'b' * 1000000) }}",
      "{{ ('a\\n' * 1000000)|indent(1000000) }}",
      "{{ ('a' * 1000000)|list|join('b' * 1000000) }}",
      "{{ 'a'|indent(9223372036854775807, true) }}",
      "{{ [1]|tojson(indent=9223372036854775807) }}",
      "{{ [1]|batch(9223372036854775807, 1) }}",
      "{% for i in range(100000) %}{{ 'a' * 100000 }}{% endfor %}",
      "{{ 'a'|" + repeated("map('map',", 1) + "'map'" + repeated(",'map'", 20000) + ",'upper') }}",
      "{{ 10 ** 1000000000 }}",
      "{{ -9223372036854775807 - 2 }}",
      "{{ (-9223372036854775807 - 1) // -1 }}",
      "{{ -(-9223372036854775807 - 1) }}",
      "{{ 1e300|int }}",
      "{{ 1e308 ** 2 }}",
      "{% set d = namespace() %}{% for i in range(100000) %}{% set d.x = dict(d.x or {}, a=i) %}{% set d.y = d.y ~ i "
      "%}{% endfor %}",
  };
  for (const std::string& source : sources) EXPECT_THROW(render(source), TemplateError) << source;
}

TEST(TemplateEngine, NamesTheLimitThatWasReached) {
  TemplateLimits limits;
  limits.steps = 100;
  EXPECT_ERROR(render("a\n{% for i in range(50) %}x{% endfor %}", {}, limits), TemplateError,
               "t.jinja: line 2: the template needs more than 100 steps");
  limits = {};
  limits.output_bytes = 10;
  EXPECT_ERROR(render("12345678901", {}, limits), TemplateError, "the template makes a text of more than 10 bytes");
  EXPECT_EQ(render("1234567890", {}, limits), "1234567890");
  limits = {};
  limits.source_bytes = 3;
  EXPECT_ERROR(render("abcd", {}, limits), TemplateError, "t.jinja: expected at most 3 bytes, found 4");
  EXPECT_ERROR(render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), TemplateError,
               "the template calls itself more than 500 levels deep");
  EXPECT_ERROR(render("{{ " + repeated("(", 200) + repeated(")", 200) + "}}"), TemplateError,
               "nested more than 100 deep");
}

TEST(TemplateEngine, LeavesNothingBehindWhatHoldsItself) {  // for LeakSanitizer
  EXPECT_EQ(render("{% set n = namespace() %}{% set n.self = n %}{% set n.list = [n] %}{{ n.self.list[0].x }}"), "");
  EXPECT_EQ(
      render("{% set n = namespace() %}{% macro m() %}{{ n.f is defined }}{% endmacro %}{% set n.f = m %}{{ m() }}"),
      "True");
  EXPECT_EQ(render("{% set n = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}"
                   "{% set n.f = m %}{% set n.l = loop %}{% endfor %}{{ n.f() }}{{ n.l.index }}"),
            "22");
}

TEST(TemplateEngine, FollowsTheMarksOfForeignText) {
  const Template::Context context = {{"u", templates::Text(" <|a|> b, C ", true)}, {"t", templates::Text("<|a|>")}};
  const auto foreign_part = [&](std::string_view source) {
    const templates::Text text = Template(source).render(context, std::tm{});
    std::string result;
    for (const ByteRange& range : text.untrusted()) {
      if (!result.empty()) result += "/";
      result += text.view().substr(range.begin, range.end - range.begin);
    }
    return result;
  };
  EXPECT_EQ(foreign_part("{{ t }}{{ u }}{{ t }}"), " <|a|> b, C ");
  EXPECT_EQ(foreign_part("{{ t + u|trim + t }}"), "<|a|> b, C");
  EXPECT_EQ(foreign_part("{{ u[1:4] ~ t ~ u[::-1] }}"), "<|a/ C ,b >|a|< ");
  EXPECT_EQ(foreign_part("{{ u.split(',')[1] ~ t }}"), " C ");
  EXPECT_EQ(foreign_part("{{ u|replace('b', t) }}"), " <|a|> /, C ");
  EXPECT_EQ(foreign_part("{{ u|upper }}{{ t|upper }}{{ u|trim|capitalize }}{{ u|title }}"),
            " <|A|> B, C /<|a|> b, c <|a|> B, C ");
  EXPECT_EQ(foreign_part("{{ [u, t]|join('-') }}"), " <|a|> b, C ");
  EXPECT_EQ(foreign_part("{{ [u, t]|tojson }}"), " <|a|> b, C ");
  EXPECT_EQ(foreign_part("{{ [t, u] }}"), " <|a|> b, C ");
  EXPECT_EQ(foreign_part("{{ u|e }}"), " &lt;|a|&gt; b, C ");
  EXPECT_EQ(foreign_part("{{ ('x\n' ~ u)|indent(2) }}"), " <|a|> b, C ");
  EXPECT_EQ(foreign_part("{% set x %}{{ t }}{{ u }}{% endset %}{{ x|trim }}"), " <|a|> b, C");
  EXPECT_EQ(foreign_part("{{ '{}{}'.format(t, u) }}"), " <|a|> b, C ");
  EXPECT_EQ(foreign_part("{% for c in u if c == '<' %}{{ c }}{% endfor %}"), "<");
  EXPECT_EQ(foreign_part("{{ u * 2 }}"), " <|a|> b, C  <|a|> b, C ");
  EXPECT_EQ(foreign_part("{% macro m(x) %}({{ x }}){% endmacro %}{{ m(u|trim) }}"), "<|a|> b, C");
}

}  // namespace
}  // namespace trine::test
