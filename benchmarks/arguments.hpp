#pragma once

#include <getopt.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace benchmarks {

/// The arguments that the programs of a side-by-side share.
struct arguments {
  std::string config = "tiny4";
  int batch = 256;
  std::string precision = "fp32";
  int threads = 2;
  int steps = 10;
};

/// Ends the program for what it does not know; `also` is a precision that few programs have.
inline arguments parse(int argc, char** argv, std::string const& also = "") {
  arguments chosen;
  constexpr std::array<::option, 6> table{{{"config", required_argument, nullptr, 'c'},
                                           {"batch", required_argument, nullptr, 'b'},
                                           {"precision", required_argument, nullptr, 'p'},
                                           {"threads", required_argument, nullptr, 't'},
                                           {"steps", required_argument, nullptr, 's'},
                                           {}}};
  for (int found = 0; (found = ::getopt_long(argc, argv, "", table.data(), nullptr)) != -1;) {
    switch (found) {
      case 'c':
        chosen.config = ::optarg;
        break;
      case 'b':
        chosen.batch = std::atoi(::optarg);
        break;
      case 'p':
        chosen.precision = ::optarg;
        break;
      case 't':
        chosen.threads = std::atoi(::optarg);
        break;
      case 's':
        chosen.steps = std::atoi(::optarg);
        break;
      default:
        std::exit(2);
    }
  }
  bool const known = chosen.precision == "fp32" || chosen.precision == "tf32" ||
                     chosen.precision == "bf16" || chosen.precision == also;
  if (::optind < argc || !known || chosen.batch < 1 || chosen.threads < 1 || chosen.steps < 1) {
    std::fprintf(stderr,
                 "usage: %s [--config NAME] [--batch N] [--precision fp32|tf32|bf16%s%s] "
                 "[--threads N] [--steps N]\n",
                 argv[0],
                 also.empty() ? "" : "|",
                 also.c_str());
    std::exit(2);
  }
  return chosen;
}

/// Whether processors have a precision; says so where they do not.
inline bool processors_have(std::string const& precision) {
  if (precision != "tf32") return true;
  std::fprintf(stderr, "a processor has no tf32: --precision is fp32 or bf16\n");
  return false;
}

}  // namespace benchmarks
