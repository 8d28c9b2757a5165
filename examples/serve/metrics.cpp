#include "metrics.hpp"

#include <mae/core/settings.hpp>

namespace serve {
namespace {

std::string line(std::string const& name, std::string const& labels, std::string const& value) {
  return name + (labels.empty() ? "" : '{' + labels + '}') + ' ' + value + '\n';
}

std::string label(std::string const& name, std::string const& value) {
  return name + "=\"" + value + '"';
}

std::string heading(std::string const& name, std::string const& kind, std::string const& help) {
  return "# HELP " + name + ' ' + help + "\n# TYPE " + name + ' ' + kind + '\n';
}

}  // namespace

template <std::size_t size>
std::string histogram<size>::text(std::string const& name, std::string const& labels) const {
  std::string const before = labels.empty() ? "" : labels + ',';
  std::string all;
  for (std::size_t i = 0; i < size; ++i)
    all += line(name + "_bucket",
                before + label("le", mae::decimal_text(bounds_[i])),
                std::to_string(counts_[i]));
  all += line(name + "_bucket", before + label("le", "+Inf"), std::to_string(all_));
  all += line(name + "_sum", labels, mae::decimal_text(sum_));
  return all + line(name + "_count", labels, std::to_string(all_));
}

void metrics::count_request(std::string_view route,
                            int status,
                            std::string_view error_code,
                            double seconds) {
  std::lock_guard const lock(mutex_);
  ++requests_[{std::string(route), status}];
  if (!error_code.empty()) ++errors_[std::string(error_code)];
  seconds_.try_emplace(std::string(route), second_bounds).first->second.add(seconds);
}

void metrics::count_batch(mae::index_t images, double seconds) {
  std::lock_guard const lock(mutex_);
  batches_.add(static_cast<double>(images));
  compute_seconds_ += seconds;
}

void metrics::count_reload(bool succeeded) {
  std::lock_guard const lock(mutex_);
  ++reloads_[succeeded ? 1 : 0];
}

std::string metrics::text(gauges const& now) const {
  std::lock_guard const lock(mutex_);
  std::string all = heading("mae_serve_requests_total", "counter", "Requests answered.");
  for (auto const& [key, count] : requests_)
    all += line("mae_serve_requests_total",
                label("route", key.first) + ',' + label("status", std::to_string(key.second)),
                std::to_string(count));
  all += heading("mae_serve_errors_total", "counter", "Requests answered by an error.");
  for (auto const& [code, count] : errors_)
    all += line("mae_serve_errors_total", label("code", code), std::to_string(count));
  all += heading("mae_serve_request_seconds", "histogram", "From a request's first byte on.");
  for (auto const& [route, histogram] : seconds_)
    all += histogram.text("mae_serve_request_seconds", label("route", route));
  all += heading("mae_serve_batch_images", "histogram", "Images that were computed at once.");
  all += batches_.text("mae_serve_batch_images", "");
  all += heading("mae_serve_compute_seconds_total", "counter", "Time of all batches.");
  all += line("mae_serve_compute_seconds_total", "", mae::decimal_text(compute_seconds_));
  all += heading("mae_serve_reloads_total", "counter", "Models read again (SIGHUP).");
  all += line("mae_serve_reloads_total", label("result", "refused"), std::to_string(reloads_[0]));
  all += line("mae_serve_reloads_total", label("result", "done"), std::to_string(reloads_[1]));
  all += heading("mae_serve_queue_images", "gauge", "Images that wait.");
  all += line("mae_serve_queue_images", "", std::to_string(now.queue_images));
  all += heading("mae_serve_connections", "gauge", "Open connections.");
  all += line("mae_serve_connections", "", std::to_string(now.connections));
  all += heading("mae_serve_ready", "gauge", "1 where requests are taken.");
  return all + line("mae_serve_ready", "", now.ready ? "1" : "0");
}

}  // namespace serve
