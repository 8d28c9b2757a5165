// Shows what a checkpoint's encoder looks at and what it tells apart: attention, patch tokens as
// colours, and maps of images.

#include "attention_view.hpp"
#include "feature_encoder.hpp"
#include "feature_flags.hpp"
#include "heat.hpp"
#include "image_map.hpp"
#include "named_images.hpp"
#include "page.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "principal_axes.hpp"
#include "program.hpp"
#include "save_file.hpp"
#include "terminal.hpp"
#include "tsne.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/subset.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using pretrain::float_image;

enum class map_choice { none, pca, tsne, both };
constexpr pretrain::choice_words<map_choice, 4> map_words{{{"none", map_choice::none},
                                                           {"pca", map_choice::pca},
                                                           {"tsne", map_choice::tsne},
                                                           {"both", map_choice::both}}};

struct patch_place {
  index_t row = 0;
  index_t column = 0;
};

struct visualise_options : tools::common_options {
  std::string out;
  index_t images = 6;
  std::optional<patch_place> patch;
  map_choice map = map_choice::both;
  index_t map_images = 300;
  mae::pooling pool = mae::pooling::mean;
  bool projector = false;
};

patch_place parse_patch(std::string const& text) {
  auto const comma = text.find(',');
  auto const row = pretrain::parse_number<index_t>(text.substr(0, comma));
  auto const column = comma == std::string::npos
                          ? std::nullopt
                          : pretrain::parse_number<index_t>(text.substr(comma + 1));
  if (!row || !column || *row < 0 || *column < 0)
    throw pretrain::usage_error("must be a row and a column of patches from 0, as 3,5, not " +
                                text);
  return {*row, *column};
}

std::vector<pretrain::flag_group> flags_for(visualise_options& o) {
  constexpr std::uint64_t most_images = 100;
  constexpr std::uint64_t most_on_map = 2000;
  return {{"Flags",
           {tools::model_flag(o),
            tools::data_flag(o),
            tools::unreadable_flag(o),
            pretrain::max_pixels_flag(o.settings),
            {"out", "DIR", "folder for what is drawn, made when missing", pretrain::words(o.out)},
            {"images",
             "N",
             pretrain::with_default("how many images are looked at one by one, evenly spread over\n"
                                    "those of --data",
                                    static_cast<double>(o.images)),
             pretrain::whole(o.images, 1, most_images)},
            {"patch",
             "ROW,COLUMN",
             "the patch to which all others are compared, from 0,0 at the top left\n"
             "[the middle one]",
             [&o](std::string const& text) { o.patch = parse_patch(text); }},
            pretrain::choice("map",
                             map_words,
                             o.map,
                             "places images in a plane by their features: along the axes of\n"
                             "greatest variance, by t-SNE, by both or not at all"),
            {"map-images",
             "N",
             pretrain::with_default("how many images a map shows, evenly spread; its time grows\n"
                                    "with their square",
                                    static_cast<double>(o.map_images)),
             pretrain::whole(o.map_images, 3, most_on_map)},
            tools::pooling_flag(o.pool),
            {"projector",
             "",
             "also writes DIR/projector with the map's images and features for\n"
             "TensorBoard's projector (tensorboard --logdir DIR/projector)",
             pretrain::set(o.projector)},
            tools::threads_flag(o)}},
          tools::known_group(o)};
}

std::string percent_text(double share) {
  return std::to_string(std::lround(100 * share)) + " %";
}

/// Images (H, W, C) of a set as they are.
float_image read_image(pretrain::image_set const& images, index_t number) {
  float_image image{images.extent(),
                    std::vector<float>(static_cast<std::size_t>(images.extent().values()))};
  images.read(number, image.values);
  return image;
}

/// What is drawn of one image, all of the same size.
struct image_views {
  std::string name;
  std::vector<float_image> overview;  // image, tokens, similarity, mean attention, rollout
  std::vector<float_image> heads;
};

/// The patch tokens of several images along their three common axes, as colours: a deviation and a
/// half on either side of the mean.
std::vector<std::vector<float>> token_colours(std::vector<tools::attention_of_image> const& seen) {
  constexpr double reach = 1.5;
  index_t const patches = seen.front().tokens - 1;
  index_t const width = std::ssize(seen.front().encoded) / seen.front().tokens;
  std::vector<float> all;
  for (auto const& image : seen)
    all.insert(all.end(), image.encoded.begin() + width, image.encoded.end());
  auto axes =
      tools::find_principal_axes({all.data(), std::ssize(all) / width, width}, 3).coordinates;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    double squares = 0;
    for (std::size_t i = axis; i < axes.size(); i += 3)
      squares += static_cast<double>(axes[i]) * static_cast<double>(axes[i]);
    double const deviation = std::sqrt(3 * squares / static_cast<double>(axes.size()));
    for (std::size_t i = axis; i < axes.size(); i += 3)
      axes[i] =
          deviation > 0
              ? static_cast<float>(0.5 + static_cast<double>(axes[i]) / (2 * reach * deviation))
              : 0.5F;
  }
  std::vector<std::vector<float>> colours;
  for (auto part = axes.begin(); part != axes.end(); part += 3 * patches)
    colours.emplace_back(part, part + 3 * patches);
  return colours;
}

index_t chosen_patch(visualise_options const& o, mae::model_config const& sizes) {
  index_t const rows = sizes.grid_rows();
  index_t const columns = sizes.grid_columns();
  auto const patch = o.patch.value_or(patch_place{rows / 2, columns / 2});
  if (patch.row >= rows || patch.column >= columns)
    throw pretrain::usage_error("--patch " + std::to_string(patch.row) + ',' +
                                std::to_string(patch.column) + ": the images have " +
                                std::to_string(rows) + " rows of " + std::to_string(columns) +
                                " patches, both from 0");
  return patch.row * columns + patch.column;
}

std::vector<image_views> look_at(visualise_options const& o,
                                 mae::pretrained_model const& model,
                                 tools::named_images const& set,
                                 std::shared_ptr<mae::thread_pool> threads) {
  tools::attention_viewer const viewer(model, std::move(threads));
  auto const& sizes = model.sizes;
  index_t const patch = chosen_patch(o, sizes);
  auto const numbers = tools::spread(std::ssize(set.rows), o.images);
  std::vector<image_views> views;
  std::vector<tools::attention_of_image> seen;
  for (index_t const number : numbers) {
    auto attention = viewer.look(set.images, number);
    auto const image = read_image(set.images, number);
    auto const heat = [&](std::vector<float> const& values) {
      return pretrain::draw_heat(image, sizes.patch, values);
    };
    image_views drawn{.name = set.rows[static_cast<std::size_t>(number)].file,
                      .overview = {pretrain::in_colour(image), {}},
                      .heads = {}};
    pretrain::mark_patch(drawn.overview.front(), sizes.patch, patch);
    drawn.overview.push_back(heat(tools::similarity_to_patch(attention, patch)));
    drawn.overview.push_back(heat(tools::mean_class_attention(attention)));
    drawn.overview.push_back(heat(tools::attention_rollout(attention)));
    for (index_t head = 0; head < attention.heads; ++head)
      drawn.heads.push_back(heat(tools::class_attention(attention, head)));
    views.push_back(std::move(drawn));
    attention.probabilities.clear();  // of a large model 20 MB an image
    attention.probabilities.shrink_to_fit();
    seen.push_back(std::move(attention));
  }
  auto const colours = token_colours(seen);
  for (std::size_t i = 0; i < views.size(); ++i)
    views[i].overview[1] = pretrain::draw_patches(sizes.image, sizes.patch, colours[i]);
  return views;
}

pretrain::page_section overview_section(std::vector<image_views> const& views) {
  pretrain::page_section section{
      .title = "What the encoder tells apart, and looks at",
      .text =
          "From left to right: the image, a patch framed in red; the tokens of its patches along "
          "the three axes of greatest variance over all images here, as red, green and blue; how "
          "like the framed patch's token each one is (cosine); what the class token takes of "
          "each patch in the last block, mean of its heads; and rolled out through all blocks "
          "(Abnar & Zuidema 2020). Colours rise from dark blue to yellow, each picture's from "
          "its least value to its greatest."};
  for (auto const& image : views)
    section.strips.push_back(
        {image.name,
         "image, tokens as colours, similarity, attention, rollout of " + image.name,
         pretrain::png_of(pretrain::draw_strip(image.overview, 224)),
         static_cast<int>(image.overview.size())});
  return section;
}

pretrain::page_section heads_section(std::vector<image_views> const& views) {
  pretrain::page_section section{
      .title = "Each head of the last block",
      .text = "What the class token takes of each patch, head by head from left to right."};
  for (auto const& image : views)
    section.strips.push_back({image.name,
                              "attention of each head over " + image.name,
                              pretrain::png_of(pretrain::draw_strip(image.heads, 224)),
                              static_cast<int>(image.heads.size())});
  return section;
}

/// All of it as one picture: a row for each image.
void save_views(std::filesystem::path const& file, std::vector<image_views> const& views) {
  std::vector<std::vector<float_image>> rows;
  for (auto const& image : views) {
    rows.push_back(image.overview);
    rows.back().insert(rows.back().end(), image.heads.begin(), image.heads.end());
  }
  auto const& extent = rows.front().front().extent;
  auto layout = pretrain::layout_for(extent, 1);
  pretrain::save_png(pretrain::draw_grid(rows, layout), file);
}

struct drawn_map {
  std::string title;
  std::string svg;
};

/// Draws the maps that were asked for, and writes the projector's files.
std::vector<drawn_map> draw_maps(visualise_options const& o,
                                 mae::pretrained_model const& model,
                                 tools::named_images const& set,
                                 std::shared_ptr<mae::thread_pool> threads) {
  constexpr index_t thumbnail = 48;
  std::vector<drawn_map> maps;
  if (o.map == map_choice::none && !o.projector) return maps;
  auto const numbers = tools::spread(std::ssize(set.rows), o.map_images);
  if (numbers.size() < 3)
    throw mae::config_error("a map needs three images, and here are " +
                            std::to_string(numbers.size()) + ": --map none draws none");
  tools::feature_encoder const encoder(model, std::move(threads));
  index_t const width = encoder.width(o.pool);
  std::vector<tools::mapped_image> images;
  std::vector<float> features;
  auto const name_of = [&](index_t i) { return set.rows[static_cast<std::size_t>(i)].file; };
  pretrain::progress_line progress(
      std::cout, pretrain::style_for(1, false), pretrain::terminal_width(1));
  auto const all = encoder.encode(set.images, numbers.back() + 1, o.pool, name_of, progress);
  for (index_t const number : numbers) {
    images.push_back({tools::thumbnail_of(read_image(set.images, number), thumbnail),
                      set.rows[static_cast<std::size_t>(number)]});
    auto const first = all.begin() + number * width;
    features.insert(features.end(), first, first + width);
  }
  mae::matrix_view<float const> const rows(features.data(), std::ssize(images), width);
  if (o.map == map_choice::pca || o.map == map_choice::both) {
    auto const axes = tools::find_principal_axes(rows, 2);
    std::string const title =
        std::to_string(images.size()) +
        " images along the two axes of greatest variance of their features (" +
        percent_text(axes.shares[0]) + " and " + percent_text(axes.shares[1]) + " of it)";
    maps.push_back({title, tools::draw_map(images, axes.coordinates, title)});
  }
  if (o.map == map_choice::tsne || o.map == map_choice::both) {
    std::string const title = std::to_string(images.size()) +
                              " images by t-SNE of their features: neighbours are near, distances "
                              "beyond them mean little";
    maps.push_back({title, tools::draw_map(images, tools::place_by_tsne(rows), title)});
  }
  if (o.projector)
    tools::save_projector((std::filesystem::path(o.out) / "projector").string(), images, features);
  return maps;
}

void run(visualise_options const& o) {
  if (o.out.empty()) throw pretrain::usage_error("--out names the folder to write; see --help");
  std::filesystem::path const out(o.out);
  auto const model = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  bool const has_map = o.map != map_choice::none || o.projector;
  index_t const most = has_map ? std::max(o.images, o.map_images) : o.images;
  auto const set = tools::load_named_images(o, o.settings.data, model, most, *threads);
  auto const views = look_at(o, model, set, threads);
  std::filesystem::create_directories(out);
  auto const maps = draw_maps(o, model, set, threads);

  pretrain::page shown{.kind = "Masked autoencoder: what its encoder sees",
                       .title = o.model,
                       .status = std::to_string(views.size()) + " images of " + set.source,
                       .sections = {overview_section(views), heads_section(views)}};
  for (auto const& map : maps)
    shown.sections.push_back({.title = "Map", .text = map.title + '.', .drawing = map.svg});
  save_views(out / "views.png", views);
  std::string written = "views.png";
  std::size_t number = 0;
  for (auto const& map : maps) {
    std::string const name =
        o.map == map_choice::tsne || number++ > 0 ? "map_tsne.svg" : "map_pca.svg";
    pretrain::save_text(out / name, map.svg);
    written += ", " + name;
  }
  pretrain::save_text(out / "visualise.html", pretrain::render_html(shown));
  std::cout << "wrote " << written << (o.projector ? ", projector" : "")
            << " and visualise.html to " << mae::printable(o.out) << '\n';
}

constexpr char const* introduction =
    "Shows what a masked autoencoder's encoder looks at and tells apart: attention of the class\n"
    "token, patch tokens as colours, and maps of images, in DIR/visualise.html.\n"
    "Usage: mae_visualise --model FILE|DIR --data FILE|DIR --out DIR [--patch 3,5]\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_visualise", "fewer --images and --map-images need less", [&](char const* name) {
        visualise_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, flags_for(options), [&](auto const& /*given*/) {
              run(options);
            });
      });
}
