#include "page.hpp"

#include "figure.hpp"
#include "markup.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pretrain {
namespace {

constexpr std::string_view page_style = R"(
:root{color-scheme:light dark;--paper:#fff;--card:#f6f7f9;--ink:#1b1f24;--soft:#59636e;
--rule:#d5dae0;
--c0:#1d63c4;--c1:#c2410c;--c2:#15803d;--c3:#7e22ce}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1d2126;--ink:#e8ebee;--soft:#a3adb8;
--rule:#39414a;--c0:#74aaff;--c1:#ff9b62;--c2:#67cf8a;--c3:#cb9dff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1,h2,h3,p,dl,dd,figure{margin:0}
h1{font-size:1.7rem;line-height:1.25;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.25rem 0 .75rem;padding-bottom:.3rem;
border-bottom:1px solid var(--rule)}
h3{font-size:1rem}
.kind,.soft{color:var(--soft)}
.kind{font-size:.85rem;letter-spacing:.04em}
.soft{max-width:46rem;margin-bottom:.9rem;overflow-wrap:anywhere}
.status{margin-top:.4rem;overflow-wrap:anywhere}
.status b{font-weight:600}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;
margin-bottom:1rem}
.numbers div,figure{background:var(--card);border-radius:.6rem;padding:.8rem 1rem}
.numbers dt{color:var(--soft);font-size:.85rem}
.numbers dd{font-size:1.45rem;font-weight:600;line-height:1.3;overflow-wrap:anywhere}
.numbers .note{font-size:.85rem;font-weight:400;color:var(--soft)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));
gap:.75rem}
figure{min-width:0}
svg{display:block;width:100%;height:auto;margin-top:.4rem}
svg text{fill:var(--soft);font:11.5px system-ui,sans-serif}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}
polyline{fill:none;stroke-width:2;stroke-linejoin:round}
.c0 polyline,.k.c0{stroke:var(--c0)}.c0 circle{fill:var(--c0)}
.c1 polyline,.k.c1{stroke:var(--c1)}.c1 circle{fill:var(--c1)}
.c2 polyline,.k.c2{stroke:var(--c2)}.c2 circle{fill:var(--c2)}
.c3 polyline,.k.c3{stroke:var(--c3)}.c3 circle{fill:var(--c3)}
.base polyline,.k.base{stroke:var(--soft);stroke-dasharray:5 4}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.2rem 0 0;padding:0;list-style:none;
font-size:.85rem}
.legend svg{display:inline-block;width:1.6rem;height:.6rem;margin:0 .4rem 0 0;vertical-align:middle}
.k{stroke-width:2.5}
.strips{display:grid;gap:.6rem}
.strip{display:grid;grid-template-columns:1fr;gap:.15rem;align-items:center}
.strip span{font-size:.85rem;color:var(--soft);overflow-wrap:anywhere}
.strip img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:.25rem}
@media(min-width:44rem){.strip{grid-template-columns:8.5rem 1fr;gap:1rem}}
.drawing{max-width:52rem;overflow-x:auto;background:var(--card);border-radius:.6rem;padding:.5rem}
.entries{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));
gap:0 2rem}
.entries div{display:flex;justify-content:space-between;gap:1rem;padding:.35rem 0;
border-bottom:1px solid var(--rule)}
.entries dt{color:var(--soft)}
.entries dd{text-align:right;overflow-wrap:anywhere;min-width:0}
details{margin-top:1rem}
summary{cursor:pointer}
summary:focus-visible{outline:2px solid var(--c0);outline-offset:3px}
.scroll{overflow-x:auto;margin-top:.5rem}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .9rem .3rem 0;text-align:right;border-bottom:1px solid var(--rule);
white-space:nowrap}
th{color:var(--soft);font-weight:500}
)";

/// HTML written piece by piece; what `text` and its like take is escaped.
class html_page {
 public:
  html_page& raw(std::string_view markup) {
    out_ += markup;
    return *this;
  }
  html_page& text(std::string_view words) {
    out_ += escaped(words);
    return *this;
  }
  /// <tag attributes>words</tag>
  html_page& element(std::string_view tag, std::string_view attributes, std::string_view words) {
    raw("<").raw(tag).raw(attributes).raw(">").text(words);
    return raw("</").raw(tag).raw(">");
  }
  std::string const& markup() const { return out_; }

 private:
  std::string out_;
};

void write_numbers(html_page& out, std::vector<page_number> const& numbers) {
  if (numbers.empty()) return;
  out.raw("<dl class=\"numbers\">\n");
  for (auto const& number : numbers) {
    out.raw("<div>").element("dt", "", number.label).element("dd", "", number.value);
    if (!number.note.empty()) out.element("dd", " class=\"note\"", number.note);
    out.raw("</div>\n");
  }
  out.raw("</dl>\n");
}

void write_legend(html_page& out, chart const& drawn) {
  out.raw("<ul class=\"legend\">");
  std::size_t number = 0;
  for (auto const& series : drawn.series)
    out.raw(R"(<li><svg viewBox="0 0 32 10" aria-hidden="true"><path class="k )")
        .raw(figure_look(series, number++))
        .raw(R"(" d="M0 5H32"/></svg>)")
        .text(series.name)
        .raw("</li>");
  out.raw("</ul>");
}

void write_figures(html_page& out, std::vector<chart> const& figures) {
  if (figures.empty()) return;
  out.raw("<div class=\"figures\">\n");
  for (auto const& drawn : figures) {
    out.raw("<figure>").element("h3", "", drawn.title);
    if (drawn.series.size() > 1) write_legend(out, drawn);
    out.raw(render_figure(drawn)).raw("</figure>\n");
  }
  out.raw("</div>\n");
}

constexpr std::string_view mark_before = "<img data-mark=\"";
constexpr std::string_view bytes_before = "src=\"data:image/png;base64,";

void write_strips(html_page& out, std::vector<page_strip> const& strips) {
  if (strips.empty()) return;
  out.raw("<div class=\"strips\">\n");
  for (auto const& strip : strips) {
    out.raw("<div class=\"strip\">")
        .element("span", "", strip.label)
        .raw(mark_before)
        .text(strip.mark);
    out.raw("\" alt=\"").text(strip.description).raw("\" ");
    if (strip.pictures > 0)
      out.raw("style=\"max-width:").raw(std::to_string(13 * strip.pictures)).raw("rem\" ");
    out.raw(bytes_before);
    out.raw(base64(strip.png)).raw("\"></div>\n");
  }
  out.raw("</div>\n");
}

void write_entries(html_page& out, std::vector<page_entry> const& entries) {
  if (entries.empty()) return;
  out.raw("<dl class=\"entries\">\n");
  for (auto const& entry : entries)
    out.raw("<div>").element("dt", "", entry.name).element("dd", "", entry.value).raw("</div>\n");
  out.raw("</dl>\n");
}

void write_table(html_page& out, page_table const& table) {
  out.raw("<details>").element("summary", "", table.title);
  out.raw(R"(<div class="scroll" tabindex="0"><table><thead><tr>)");
  for (auto const& column : table.columns) out.element("th", " scope=\"col\"", column);
  out.raw("</tr></thead><tbody>\n");
  for (auto const& row : table.rows) {
    out.raw("<tr>");
    for (auto const& cell : row)
      if (&cell == &row.front())
        out.element("th", " scope=\"row\"", cell);
      else
        out.element("td", "", cell);
    out.raw("</tr>\n");
  }
  out.raw("</tbody></table></div></details>\n");
}

void write_section(html_page& out, page_section const& section) {
  out.raw("<section>").element("h2", "", section.title).raw("\n");
  if (!section.text.empty()) out.element("p", " class=\"soft\"", section.text).raw("\n");
  write_numbers(out, section.numbers);
  write_figures(out, section.figures);
  write_strips(out, section.strips);
  if (!section.drawing.empty())
    out.raw("<div class=\"drawing\">").raw(section.drawing).raw("</div>\n");
  write_entries(out, section.entries);
  for (auto const& table : section.tables) write_table(out, table);
  out.raw("</section>\n");
}

/// What stands behind `before` up to a quotation mark, from `place` on, which is moved behind it.
std::optional<std::string_view> quoted_after(std::string_view text,
                                             std::string_view before,
                                             std::size_t& place) {
  auto const found = text.find(before, place);
  if (found == std::string_view::npos) return std::nullopt;
  auto const first = found + before.size();
  auto const last = text.find('"', first);
  if (last == std::string_view::npos) return std::nullopt;
  place = last;
  return text.substr(first, last - first);
}

}  // namespace

std::vector<page_strip> strips_of(std::string const& html) {
  std::vector<page_strip> strips;
  for (std::size_t place = 0;;) {
    auto const mark = quoted_after(html, mark_before, place);
    auto const text = mark ? quoted_after(html, bytes_before, place) : std::nullopt;
    if (!text) return strips;
    if (mark->empty()) continue;
    if (auto bytes = bytes_of_base64(*text))
      strips.push_back(
          {.label = {}, .description = {}, .png = std::move(*bytes), .mark = std::string(*mark)});
  }
}

std::string render_html(page const& shown) {
  html_page out;
  out.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n")
      .raw("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n")
      .raw("<link rel=\"icon\" href=\"data:,\">\n");
  if (shown.is_running) out.raw("<meta http-equiv=\"refresh\" content=\"10\">\n");
  out.element("title", "", shown.title).raw("<style>").raw(page_style).raw("</style></head>\n");
  out.raw("<body><main><header>").element("p", " class=\"kind\"", shown.kind);
  out.element("h1", "", shown.title).element("p", " class=\"status\"", shown.status);
  out.raw("</header>\n");
  for (auto const& section : shown.sections) write_section(out, section);
  return out.raw("</main></body></html>\n").markup();
}

}  // namespace pretrain
