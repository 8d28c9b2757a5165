#include "log_line.hpp"

#include <mae/core/text.hpp>

#include <array>
#include <cstddef>
#include <ctime>
#include <iostream>
#include <string>

namespace serve {

void log_line(std::string_view text) {
  std::time_t const now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> stamp{};
  std::size_t const length = std::strftime(stamp.data(), stamp.size(), "%FT%TZ ", &parts);
  std::cerr << std::string(stamp.data(), length) + mae::printable(text) + '\n' << std::flush;
}

}  // namespace serve
