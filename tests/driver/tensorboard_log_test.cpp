#include "tensorboard_log.hpp"

#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <string>

namespace {

TEST_CASE("the checksum is CRC-32C, with RFC 3720's examples") {
  CHECK(pretrain::crc32c("123456789") == 0xE3069283U);
  CHECK(pretrain::crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(pretrain::crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
  CHECK(pretrain::crc32c("") == 0);
}

TEST_CASE("records are those that TensorBoard's own writer makes") {
  // tensorboard 2.21, EventFileWriter: file_version "brain.Event:2" at 1.5 s; then at 2 s, step
  // 300, {tag: "a", simple_value: 0.5}
  auto const hex = [](std::string const& bytes) {
    std::string text;
    for (char const byte : bytes) {
      text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4U];
      text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 0xFU];
    }
    return text;
  };
  CHECK(hex(pretrain::first_record(1.5)) ==
        "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e457665"
        "6e743a322a28646c");
  std::array<pretrain::scalar_summary, 2> const scalars{{{"a", 0.5}, {"b", std::nan("")}}};
  CHECK(hex(pretrain::event_record(2, 300, scalars)) ==
        "1800000000000000a37f4b2209000000000000004010ac022a0a0a080a016115"
        "0000003fd150deb2");
}

TEST_CASE("a log of a resumed training holds what lies behind it, and what it adds") {
  mae_test::temporary_folder const scratch;
  pretrain::training_history history;
  history.training.push_back({.step = 1, .epoch = 0.5, .loss = 0.75});
  history.health.push_back({.step = 1, .epoch = 0.5, .effective_rank = 3});
  pretrain::tensorboard_log log(scratch / "tb", history);
  log.add(pretrain::heldout_record{.step = 2,
                                   .epoch = 1,
                                   .loss = 0.5,
                                   .baseline = 1,
                                   .compared = {std::nan(""), std::nan(""), std::nan(""), 0.25}});
  CHECK(log.is_whole());
  std::string const bytes = read_text(scratch / "tb/events.out.tfevents.mae");
  for (char const* const tag :
       {"loss/training", "health/effective_rank", "loss/heldout", "loss/heldout_perceptual"})
    CHECK(bytes.find(tag) != std::string::npos);
  CHECK(bytes.find("loss/heldout_contrast") == std::string::npos);
}

}  // namespace
