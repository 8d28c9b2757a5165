#include "tensorboard_log.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pretrain {

namespace {

/// Those that are known.
void add_compared(event_file& file,
                  std::int64_t step,
                  std::string const& prefix,
                  of_comparing const& compared) {
  for (std::size_t i = 0; i < comparing_heads.size(); ++i) {
    if (std::isnan(compared[i])) continue;
    auto const tag = prefix + comparing_heads[i];
    file.add(step, std::array<scalar_summary, 1>{{{tag, compared[i]}}});
  }
}

}  // namespace

tensorboard_log::tensorboard_log(std::filesystem::path const& folder,
                                 training_history const& history)
    : file_(folder) {
  for (auto const& record : history.training) add(record);
  for (auto const& record : history.heldout) add(record);
  for (auto const& record : history.probes) add(record);
  for (auto const& record : history.health) add(record);
  for (auto const& record : history.gradients) add(record);
  for (auto const& record : history.masks) add(record);
}

void tensorboard_log::add(training_record const& record) {
  std::vector<scalar_summary> scalars;
  if (!std::isnan(record.loss))
    scalars = {{"loss/training", record.loss}, {"loss/training_baseline", record.baseline}};
  scalars.insert(scalars.end(),
                 {{"training/learning_rate", record.lr},
                  {"training/gradient_norm", record.gradient_norm},
                  {"training/images_per_second", record.images_per_second}});
  file_.add(record.step, scalars);
  add_compared(file_, record.step, "loss/", record.compared);
}

void tensorboard_log::add(heldout_record const& record) {
  file_.add(record.step,
            std::array<scalar_summary, 2>{
                {{"loss/heldout", record.loss}, {"loss/heldout_baseline", record.baseline}}});
  add_compared(file_, record.step, "loss/heldout_", record.compared);
}

void tensorboard_log::add(probe_record const& record) {
  std::vector<scalar_summary> scalars;
  if (record.linear_top1) scalars.push_back({"probe/linear_top1", *record.linear_top1});
  if (record.knn_top1) scalars.push_back({"probe/knn_top1", *record.knn_top1});
  file_.add(record.step, scalars);
}

void tensorboard_log::add(health_record const& record) {
  file_.add(
      record.step,
      std::array<scalar_summary, 7>{{{"health/effective_rank", record.effective_rank},
                                     {"health/alignment", record.alignment},
                                     {"health/uniformity", record.uniformity},
                                     {"health/deviation", record.deviation},
                                     {"health/target_variance", record.target_variance},
                                     {"health/prediction_variance", record.prediction_variance},
                                     {"health/prediction_rank", record.prediction_rank}}});
}

void tensorboard_log::add(mask_record const& record) {
  std::vector<scalar_summary> scalars;
  if (record.agreement) scalars.push_back({"mask/agreement", *record.agreement});
  if (record.entropy) scalars.push_back({"mask/entropy", *record.entropy});
  file_.add(record.step, scalars);
}

/// Over all depths of the encoder.
void tensorboard_log::add(gradient_record const& record) {
  std::vector<scalar_summary> scalars;
  for (auto const& of : record.heads)
    scalars.push_back({"gradient_norm/" + of.head, gradient_record::whole_norm(of)});
  for (std::size_t i = 0; i < record.pairs.size(); ++i)
    scalars.push_back({"gradient_cosine/" + record.pairs[i].heads, record.whole_cosine(i)});
  file_.add(record.step, scalars);
}

}  // namespace pretrain
