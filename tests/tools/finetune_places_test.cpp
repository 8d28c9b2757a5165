// mae_finetune where places are labelled: masks, instances, points.

#include "editable_file.hpp"
#include "labelled_folder.hpp"
#include "labelled_images.hpp"
#include "picture_parts.hpp"
#include "running_program.hpp"
#include "square_picture.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/images/picture_fit.hpp>
#include <mae/images/picture_list.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using mae::index_t;

/// The name of a picture.
std::string name_of(index_t image) {
  std::string name("p");  // begun as a string: g++ 12 warns wrongly of a literal before one
  name += std::to_string(image);
  name += ".png";
  return name;
}

/// Ten pictures of a bright square on a dark ground, their masks and points.
class labelled_folder {
 public:
  labelled_folder() {
    for (char const* const name : {"images", "masks", "labels"})
      std::filesystem::create_directory(path(name));
    std::string table = "image,who,middle_x,middle_y,corner_x,corner_y\n";
    for (index_t i = 0; i < 10; ++i) {
      std::string const name = name_of(i);
      index_t const left = 2 * i + 4;
      index_t const top = i;
      write_square(path("images/" + name), 40, 220, left, top);
      write_square(path("masks/" + name), 0, 1, left, top);
      write_square(path("labels/" + name), 0, 7, left, top);
      table += name + ",me," + std::to_string(left + 4) + ',' + std::to_string(top + 4) +
               (i % 2 == 0 ? ',' + std::to_string(left) + ',' + std::to_string(top) : ",,") + '\n';
    }
    write_text(path("keypoints.csv"), table);
  }
  std::string path(std::string const& name = "") const { return folder_.file(name); }

  /// As the tool reads it, at 12 x 16; what it assumes goes to `notes`.
  tools::labelled_sets read(tools::label_request request, std::ostream& notes) const {
    mae::thread_pool threads(2);
    request.images.extent = {.height = 12, .width = 16, .channels = 1};
    request.images.fit.kind = mae::image_fit::stretch;
    return tools::load_labelled_folder(path(), request, threads, notes);
  }
  tools::labelled_sets read(tools::label_request const& request) const {
    std::ostringstream notes;
    return read(request, notes);
  }
  template <class Error = mae::config_error>
  std::string refusal(tools::label_request const& request) const {
    auto const said = refusal_of<Error>([&] { static_cast<void>(read(request)); });
    CAPTURE(said);
    return said;
  }

 private:
  mae_test::temporary_folder folder_;
};

program_result finetune(std::vector<std::string> const& flags) {
  std::vector<std::string> words{std::string(TOOLS) + "/mae_finetune",
                                 "--from-scratch",
                                 "--config",
                                 "micro8",
                                 "--epochs",
                                 "2",
                                 "--batch",
                                 "4",
                                 "--resize-images",
                                 "24x32"};
  words.insert(words.end(), flags.begin(), flags.end());
  return run_program(words);
}

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("masks and points become what they are in the model's images") {
  labelled_folder const folder;
  std::ostringstream notes;
  auto const sets = folder.read({.masks = true, .points = true}, notes);
  CHECK(sets.train.images.size() == 8);
  CHECK(sets.test.images.size() == 2);
  CHECK(sets.mask_classes == 2);
  CHECK(sets.point_names == std::vector<std::string>{"middle", "corner"});
  CHECK_FALSE(sets.partners_known);
  CHECK(
      holds(notes.str(), "assumed: tests are on the last 2 pictures in the order of their names"));
  CHECK(holds(notes.str(), "assumed: classes 0 to 1 of pixels"));

  auto const& places = sets.train.places;
  CHECK(places.names[3] == "p3.png");
  auto const mask = places.masks.begin() + 3 * 12 * 16;
  CHECK(std::ranges::count(mask, mask + 12 * 16, 1) == 16);  // 8 x 8 pixels at half the size
  CHECK(mask[2 * 16 + 5] == 1);                              // from (10, 3) on
  CHECK(mask[2 * 16 + 4] == 0);
  CHECK(places.points[6] == mae::keypoint{7, 3.5F, true});
  CHECK_FALSE(places.points[7].visible);
  CHECK(places.places[3].in_picture(places.points[6]) == mae::keypoint{14, 7, true});
}

TEST_CASE("each value of a label map is an instance") {
  labelled_folder const folder;
  auto const sets = folder.read({.masks = true, .instances = true});
  CHECK(sets.mask_classes == 2);
  auto const& places = sets.train.places;
  CHECK(std::set<std::uint16_t>(places.instances.begin(), places.instances.end()) ==
        std::set<std::uint16_t>{0, 7});
  CHECK(std::ranges::equal(places.masks, places.instances, [](auto value, auto instance) {
    return value == (instance > 0 ? 1 : 0);
  }));
}

TEST_CASE("a table says which pictures are tests; others are left out, and said") {
  labelled_folder const folder;
  write_text(folder.path("split.csv"), "image,part\np9.png,train\np0.png,val\np4.png,train\n");
  std::ostringstream notes;
  auto const sets = folder.read({.masks = true, .split = folder.path("split.csv")}, notes);
  CHECK(sets.train.places.names == std::vector<std::string>{"p4.png", "p9.png"});
  CHECK(sets.test.places.names == std::vector<std::string>{"p0.png"});
  CHECK(holds(notes.str(), "assumed: 7 pictures that "));
  write_text(folder.path("split.csv"), "image,part\nq.png,train\n");
  CHECK(holds(folder.refusal({.masks = true, .split = folder.path("split.csv")}),
              "there is no labelled picture q.png in "));
  write_text(folder.path("split.csv"), "image,part\np1.png,mine\n");
  CHECK(holds(folder.refusal<mae::format_error>({.masks = true, .split = folder.path("split.csv")}),
              "line 2, part: \"mine\" is no part: train, test or val"));
}

TEST_CASE("a picture that a table leaves out is of no part, whatever its folder says") {
  using mae::picture_part;
  mae_test::temporary_folder const folder;
  write_text(folder.file("split.csv"), "image,part\ntrain/a.png,test\n");
  mae::picture_list list{.folder = "set/",
                         .files = {{.path = "set/train/a.png", .part = picture_part::train},
                                   {.path = "set/train/b.png", .part = picture_part::train},
                                   {.path = "set/test/c.png", .part = picture_part::test}}};
  std::ostringstream notes;
  tools::give_parts(folder.file("split.csv"), list, notes);
  CHECK(holds(notes.str(), "assumed: 2 pictures that "));
  CHECK(list.files[0].part == picture_part::test);
  CHECK(list.files[1].part == picture_part::whole);
  CHECK(list.files[2].part == picture_part::whole);
}

TEST_CASE("labels that do not fit are refused with their file's name") {
  labelled_folder const folder;
  auto const mask = folder.path("masks/p5.png");
  write_square(mask, 0, 255, 2, 2);
  CHECK_NOTHROW(folder.read({.masks = true}));  // a picture of no class but 0
  std::filesystem::copy(MAE_TESTS_DIR "/images/fixtures/grey.png",
                        mask,
                        std::filesystem::copy_options::overwrite_existing);
  CHECK(folder.refusal({.masks = true}) == mask + " has 9x14 pixels, but its picture p5.png 24x32");
  write_square(folder.path("masks/p9.png"), 0, 3, 2, 2);
  write_square(mask, 0, 1, 2, 2);
  CHECK(folder.refusal({.masks = true}) ==
        folder.path() + ": a mask to test on has the class 3, which no mask to train on has");
  for (index_t i = 0; i < 10; ++i) write_square(folder.path("masks/" + name_of(i)), 0, 255, 2, 2);
  CHECK(holds(folder.refusal({.masks = true}), "have no class but 0, and pixels of 255"));

  auto const table = folder.path("keypoints.csv");
  write_text(table, "image,a_x,a_y\np1.png,40,2\np9.png,1,1\n");
  CHECK(folder.refusal({.points = true}) ==
        table +
            ": a of p1.png lies outside of the picture, which has 24x32 pixels; leave it empty "
            "where it is not to be seen");
  write_text(table, "image,a_x,a_y\np1.png,4,2\nq.png,1,1\n");
  CHECK(holds(folder.refusal({.points = true}), ": there is no picture q.png in "));
  std::filesystem::remove_all(folder.path("masks"));
  CHECK(holds(folder.refusal({.masks = true}), " has no folder masks; --instances takes labels/"));
}

TEST_CASE("several heads are trained at once, and a training goes on with its own heads alone") {
  labelled_folder const folder;
  auto const out = folder.path("out");
  std::vector<std::string> const flags{"--head",
                                       "segmentation:1,keypoints:0.5",
                                       "--mask-ratio",
                                       "segmentation=0.25",
                                       "--instances",
                                       "--data",
                                       folder.path(),
                                       "--out",
                                       out};
  auto const result = finetune(flags);
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  CHECK(holds(result.err, "assumed: images are not mirrored, as no pairs.csv"));
  CHECK(holds(result.out, "training segmentation:1,keypoints:0.5 on 8 images"));
  auto const summary = read_text(out + "/summary.json");
  for (char const* const name :
       {"mean_iou", "foreground_iou", "f1", "average_precision", "pixel_error", "pck"})
    CHECK(holds(summary, std::string("\"") + name + "\": "));
  CHECK(holds(read_text(out + "/predictions_segmentation.csv"),
              "image,pixel_accuracy,mean_iou,foreground_iou,instances,found,f1\r\np8.png,"));
  CHECK(holds(read_text(out + "/predictions_keypoints.csv"),
              "image,middle_x,middle_y,middle_confidence,corner_x,corner_y,corner_confidence\r\n"));
  for (char const* const file : {"/predictions_segmentation.png", "/predictions_keypoints.png"})
    CHECK(std::filesystem::file_size(out + file) > 100);

  auto const said = mae::safetensors_file::load(out + "/training.safetensors").metadata();
  CHECK(said.at("segmenter.mask_ratio") == "0.25");
  CHECK(said.at("keypoints.mask") == "none");
  auto all_hidden = flags;
  std::ranges::replace(all_hidden, std::string("segmentation=0.25"), std::string("0.25"));
  all_hidden.emplace_back("--resume");
  CHECK(holds(finetune(all_hidden).err, "mask is of_each_head in the file, but uniform here"));
  auto const refused =
      finetune({"--head", "keypoints", "--data", folder.path(), "--out", out, "--resume"});
  CHECK(refused.exit_code == 1);
  CHECK(holds(refused.err, "segmenter"));
}

TEST_CASE("a share of labels that leaves a class without a pixel is refused") {
  labelled_folder const folder;
  // Two pictures of eight cannot show three classes.
  write_square(folder.path("masks/p3.png"), 0, 2, 2, 2);
  write_square(folder.path("masks/p4.png"), 0, 3, 2, 2);
  auto const result = finetune({"--head",
                                "segmentation",
                                "--label-fraction",
                                "0.3",
                                "--data",
                                folder.path(),
                                "--out",
                                folder.path("out")});
  CHECK(result.exit_code == 1);
  CHECK(holds(result.err, "no mask to train on has the class "));
}

TEST_CASE("flags of heads that are not trained are refused") {
  auto const refusal = [](std::vector<std::string> const& flags) {
    auto const result = finetune(flags);
    CHECK(result.exit_code == 2);
    return result.err;
  };
  CHECK(holds(refusal({"--head", "boxes"}), "'boxes' is not one of classes, segmentation"));
  CHECK(holds(refusal({"--head", "classes,classes"}), "classes is there twice"));
  CHECK(holds(refusal({"--head", "classes:0"}), "must be a number above 0, not 0"));
  CHECK(holds(refusal({"--head", "classes,keypoints", "--norm", "pooled", "--data", "synthetic"}),
              "--norm pooled is of --head classes alone"));
  CHECK(holds(refusal({"--norm", "pooled", "--pool", "both"}), "--norm pooled needs --pool mean"));
  for (auto const& [ratio, sentence] : std::vector<std::pair<std::string, std::string>>{
           {"classes=1", "--mask-ratio: must be a number from 0, below 1, not 1"},
           {"-0.5", "--mask-ratio: must be a number from 0, below 1, not -0.5"},
           {"classes", "--mask-ratio: needs a share for classes: classes=0.25"},
           {"boxes=0.5", "'boxes' is not one of classes, segmentation, keypoints"},
           {"classes=0.5,classes=0", "classes is there twice"},
           {"keypoints=0.5", "--mask-ratio keypoints has no meaning without --head keypoints"}})
    CHECK(holds(refusal({"--mask-ratio", ratio}), sentence));
  CHECK(holds(refusal({"--instances"}), "--instances has no meaning without --head segmentation"));
  CHECK(holds(refusal({"--head", "keypoints"}), "--data names the folder"));
}
