#include "picture_request.hpp"

#include "feature_flags.hpp"
#include "flag_values.hpp"
#include "multipart.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>

namespace serve {
namespace {

using mae::index_t;
using query_values = std::map<std::string, std::string>;

constexpr pretrain::choice_words<painting_view, 4> view_words{{{"pasted", painting_view::pasted},
                                                               {"painted", painting_view::painted},
                                                               {"masked", painting_view::masked},
                                                               {"sheet", painting_view::sheet}}};

query_values query_of(route const& which, request_head const& head) {
  std::vector<std::string_view> known;
  for (auto const& one : which.parameters)
    if (one.in == "query") known.push_back(one.name);
  return parse_query(head.target, known);
}

[[noreturn]] void refuse(std::string const& name,
                         std::string const& what,
                         std::string const& text) {
  throw request_error(
      422, "bad_parameter", name + " must be " + what + ", not " + mae::in_quotes(text));
}

template <class Choice, std::size_t count>
void read_choice(query_values const& query,
                 std::string const& name,
                 pretrain::choice_words<Choice, count> const& words,
                 Choice& field) {
  auto const given = query.find(name);
  if (given == query.end()) return;
  auto const found =
      std::ranges::find_if(words, [&](auto const& pair) { return pair.first == given->second; });
  if (found == words.end()) refuse(name, "one of " + pretrain::list_of(words, ", "), given->second);
  field = found->second;
}

template <class Number>
Number read_number(query_values const& query,
                   std::string const& name,
                   Number usual,
                   auto holds,
                   char const* what) {
  auto const given = query.find(name);
  if (given == query.end()) return usual;
  auto const value = pretrain::parse_number<Number>(given->second);
  if (!value || !holds(*value)) refuse(name, what, given->second);
  return *value;
}

hidden_patches read_mask(std::string const& text, mae::model_config const& sizes) {
  auto const patches = static_cast<std::size_t>(sizes.num_patches());
  hidden_patches hidden;
  for (char const letter : text) hidden.push_back(letter == '1' ? 1 : 0);
  auto const count = static_cast<std::size_t>(std::ranges::count(hidden, std::uint8_t{1}));
  if (text.size() != patches || text.find_first_not_of("01") != std::string::npos || count == 0 ||
      count == patches)
    throw request_error(422,
                        "bad_parameter",
                        "mask must be " + std::to_string(patches) +
                            " digits, 1 for a hidden patch and 0 for one that is seen, with at "
                            "least one of each");
  return hidden;
}

hidden_patches read_hidden(query_values const& query, mae::model_config const& sizes) {
  if (auto const mask = query.find("mask"); mask != query.end()) {
    if (query.contains("ratio") || query.contains("seed"))
      throw request_error(
          422, "bad_parameter", "mask says what is hidden: ratio and seed are not for it");
    return read_mask(mask->second, sizes);
  }
  constexpr double usual = 0.75;
  double const ratio = read_number(
      query,
      "ratio",
      usual,
      [](double value) { return value > 0 && value < 1; },
      "a number between 0 and 1, neither included");
  auto const seed = read_number<std::uint64_t>(
      query, "seed", 0, [](std::uint64_t) { return true; }, "a whole number from 0 on");
  return draw_hidden(sizes, ratio, seed);
}

attention_asked read_attention(query_values const& query, mae::model_config const& sizes) {
  constexpr pretrain::choice_words<bool, 2> heads_words{{{"mean", false}, {"each", true}}};
  index_t const depth = sizes.encoder.depth;
  auto const what = "a whole number from 1 to " + std::to_string(depth);
  attention_asked asked;
  read_choice(query, "heads", heads_words, asked.each_head);
  asked.block = read_number<index_t>(
                    query,
                    "block",
                    depth,
                    [&](index_t block) { return block >= 1 && block <= depth; },
                    what.c_str()) -
                1;
  return asked;
}

std::vector<std::string_view> pictures_of(request const& in, std::size_t most) {
  if (media_type(in.head.content_type) != "multipart/form-data") {
    if (in.body.empty()) throw request_error(400, "no_picture", "the request has no body");
    return {in.body};
  }
  auto pictures = split_multipart(in.head.content_type, in.body, most);
  if (pictures.empty())
    throw request_error(422, "no_picture", "the multipart/form-data has no part");
  return pictures;
}

}  // namespace

request_error not_offered(task what) {
  char const* const why = [&] {
    switch (what) {
      case task::classify:
        return "no classifier is served (--classifier)";
      case task::neighbours:
        return "no gallery is served (--gallery)";
      case task::attention:
        return "an encoder in int8 has no weights that attention could be computed from: "
               "--precision fp32 and bf16 have them";
      default:
        return "the model has no decoder that paints pixels (cross-attention decoders are not "
               "served)";
    }
  }();
  return {404, "not_offered", why};
}

picture_request read_picture_request(route const& which,
                                     request const& in,
                                     served_model const& model,
                                     std::size_t most,
                                     std::vector<std::string_view>& pictures) {
  auto const query = query_of(which, in.head);
  picture_request asked{.what = *task_of(which.what)};
  std::vector<std::string_view> offered{"application/json"};
  if (asked.what == task::features) offered.emplace_back("application/octet-stream");
  if (asked.what == task::tokens || asked.what == task::attention)
    offered = {"application/octet-stream"};
  if (asked.what == task::reconstruct || asked.what == task::view) offered = {"image/png"};
  auto const chosen = choose_media_type(in.head.accept, offered);
  if (chosen.empty())
    throw request_error(406, "not_acceptable", "answers are " + std::string(which.answers));
  asked.as_bytes = chosen == "application/octet-stream";
  read_choice(query, "pool", tools::pooling_words, asked.pool);
  asked.top = read_number<std::size_t>(
      query,
      "top",
      asked.top,
      [](std::size_t value) { return value > 0; },
      "a whole number from 1 on");
  read_choice(query, "view", view_words, asked.view);
  constexpr index_t most_neighbours = 100;
  asked.k = read_number<index_t>(
      query,
      "k",
      asked.k,
      [](index_t value) { return value >= 1 && value <= most_neighbours; },
      "a whole number from 1 to 100");
  if (asked.what == task::attention)
    asked.attention = read_attention(query, model.sizes(asked.what));
  pictures = pictures_of(in, most);
  asked.images = pictures.size();
  bool const takes_several = asked.what == task::features || asked.what == task::classify;
  if (asked.images != 1 && !takes_several)
    throw request_error(422, "too_many_pictures", "this takes one picture at a time");
  if (asked.what == task::reconstruct) asked.hidden = read_hidden(query, model.sizes(asked.what));
  return asked;
}

thumbnail_request read_thumbnail_request(route const& which, request_head const& head) {
  auto const query = query_of(which, head);
  thumbnail_request asked{.index = *picture_in(head.path())};
  if (auto const version = query.find("version"); version != query.end())
    asked.version = version->second;
  return asked;
}

std::vector<std::uint8_t> decode_pictures(task what,
                                          std::vector<std::string_view> const& pictures,
                                          served_model const& model,
                                          std::atomic<bool> const& abandoned) {
  std::vector<std::uint8_t> all;
  for (std::size_t i = 0; i < pictures.size() && !abandoned; ++i) {
    auto const name = pictures.size() == 1 ? "the picture" : "picture " + std::to_string(i + 1);
    try {
      auto const pixels = model.decode(what, name, pictures[i]);
      all.insert(all.end(), pixels.begin(), pixels.end());
    } catch (mae::format_error const& e) {
      throw request_error(400, "bad_picture", e.what());
    } catch (mae::config_error const& e) {
      throw request_error(422, "unfit_picture", e.what());
    } catch (mae::io_error const& e) {
      if (e.error_number() != ENOMEM) throw;
      throw request_error(503, "out_of_memory", e.what());
    }
  }
  return all;
}

}  // namespace serve
