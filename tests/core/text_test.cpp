#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

TEST_CASE("printable text is kept, whatever language it is in") {
  for (std::string const text : {"",
                                 "a b~",
                                 "Gr\u00fc\u00dfe/\u00a0\u6771\u4eac/\U0001F680",
                                 "\u2010\u2027\u2030 \u2065 \u206a \u061b"})
    CHECK(mae::printable(text) == text);
}

TEST_CASE("what commands a terminal becomes a question mark, one for each character") {
  CHECK(mae::printable("\x1b[2J\a\b\t\r\n\x7f") == "?[2J??????");
  CHECK(mae::printable(std::string("a\0b", 3)) == "a?b");
  for (int c = 0; c < 0x20; ++c) CHECK(mae::printable(std::string(1, static_cast<char>(c))) == "?");
  // C1: a terminal that decodes UTF-8 takes U+009B for ESC [.
  CHECK(mae::printable("\u0080\u0085\u009b\u009f\u00a0") == "????\u00a0");
  // Separators end lines, and directions turn what follows: "exe.gnp" would be shown as "png.exe".
  CHECK(mae::printable("\u2028\u2029") == "??");
  CHECK(mae::printable("\u202agnp\u202e.exe\u2066\u2069\u200e\u200f\u061c") == "?gnp?.exe?????");
}

TEST_CASE("what is not UTF-8 becomes a question mark for each byte") {
  CHECK(mae::printable("a\xff"
                       "b") == "a?b");
  CHECK(mae::printable("\xe2\x82") == "??");            // cut
  CHECK(mae::printable("\xc0\x9b") == "??");            // an overlong form of ESC
  CHECK(mae::printable("\xed\xa0\x80") == "???");       // a surrogate
  CHECK(mae::printable("\xf4\x90\x80\x80") == "????");  // above U+10FFFF
}

TEST_CASE("a name in a message is quoted, and cut between characters") {
  CHECK(mae::in_quotes("a") == "'a'");
  CHECK(mae::in_quotes("\x1b[2J") == "'?[2J'");
  CHECK(mae::in_quotes(std::string(64, 'a')) == '\'' + std::string(64, 'a') + '\'');
  CHECK(mae::in_quotes(std::string(65, 'a')) == '\'' + std::string(64, 'a') + "...'");
  CHECK(mae::in_quotes(std::string(63, 'a') + "\u6771") == '\'' + std::string(63, 'a') + "...'");
  CHECK(mae::in_quotes(std::string(70, '\xff')) == '\'' + std::string(64, '?') + "...'");
}

TEST_CASE("the message of every error is one printable line; its file keeps its own name") {
  std::string const name = "evil\x1b]0;title\a\n.png";
  std::string const shown = "evil?]0;title??.png";
  CHECK(std::string(mae::config_error(name).what()) == shown);
  CHECK(std::string(mae::config_error(name.c_str()).what()) == shown);
  mae::io_error const refused(name, "open", ENOENT);
  CHECK(std::string(refused.what()) == shown + ": open: No such file or directory");
  CHECK(refused.file() == name);
  mae::format_error const damaged(name, 3, "label " + name);
  CHECK(std::string(damaged.what()) == shown + ": at byte 3: label " + shown);
  CHECK(damaged.file() == name);
  CHECK(std::string(mae::numeric_error(1, name).what()) == "step 1: " + shown + " is not finite");
  CHECK(std::string(mae::device_memory_error(name).what()) == shown);
}
