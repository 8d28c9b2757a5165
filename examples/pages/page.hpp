#pragma once

#include "chart.hpp"
#include "picture.hpp"

#include <cstddef>
#include <string>
#include <vector>

// A page of HTML that opens without a network: its figures are SVG, its pictures PNG, both within
// it, and it asks for nothing else. All text given here may be anybody's: it is escaped.

namespace pretrain {

/// One figure, with what it is to be compared with.
struct page_number {
  std::string label;
  std::string value;
  std::string note = {};
};

/// Pictures side by side in one PNG; those of a section are drawn equally wide.
struct page_strip {
  std::string label;
  std::string description;  // for who cannot see it
  std::vector<std::byte> png;
  int pictures = 0;  // side by side: how many; each is at most 13 rem wide. 0: as wide as can be
  std::string mark = {};  // by which strips_of finds it again; empty: it does not
};

/// A name and what stands for it.
struct page_entry {
  std::string name;
  std::string value;
};

/// The first of each row is what the row is of.
struct page_table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// What stands under one heading, in this order; any of it may be missing.
struct page_section {
  std::string title;
  std::string text = {};
  std::vector<page_number> numbers = {};
  std::vector<chart> figures = {};
  std::vector<page_strip> strips = {};
  std::string drawing = {};  // SVG of the program's own, not escaped
  std::vector<page_entry> entries = {};
  std::vector<page_table> tables = {};  // folded
};

struct page {
  std::string kind;  // of what: "Pre-training"
  std::string title;
  std::string status;
  bool is_running = false;  // the page is loaded anew every few seconds
  std::vector<page_section> sections = {};
};

std::string render_html(page const& shown);

/// The strips of a page that render_html wrote that have a mark, without label and description;
/// what cannot be read is left out.
std::vector<page_strip> strips_of(std::string const& html);

}  // namespace pretrain
