#include "service.hpp"

#include "page_text.hpp"
#include "picture_answer.hpp"
#include "picture_request.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>
#include <new>
#include <sstream>
#include <utility>

namespace serve {

using mae::index_t;

namespace {

/// Threads for decoding: as many as compute, and no more than are of use.
int worker_threads(mae::thread_pool const& threads) {
  constexpr int most = 8;
  return std::min(threads.size(), most);
}

reply text_reply(std::string text) {
  return {.content_type = "text/plain; charset=utf-8", .body = std::move(text)};
}

/// The page, which asks nobody but this server for anything.
reply page_reply() {
  return {.content_type = "text/html; charset=utf-8",
          .body = std::string(page_text),
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                       "img-src blob: data:; connect-src 'self'; base-uri 'none'; "
                       "form-action 'none'"},
                      {"Referrer-Policy", "no-referrer"}}};
}

std::string allowed_methods(route const& which) {
  return which.method == "GET" ? "GET, HEAD" : std::string(which.method);
}

bool is_picture_type(std::string_view content_type) {
  auto const type = media_type(content_type);
  return type.empty() || type.starts_with("image/") || type == "application/octet-stream" ||
         type == "multipart/form-data";
}

}  // namespace

/// A request whose pictures are computed.
struct service::picture_work {
  std::shared_ptr<served_model const> model;
  picture_request asked;
  std::vector<std::uint8_t> pixels;
  std::shared_ptr<std::atomic<bool> const> abandoned;
  send_reply send;
};

service::service(serve_options const& o)
    : options_(o),
      token_(bearer_token::find(o.token_file)),
      threads_(std::make_shared<mae::thread_pool>(o.settings.threads)),
      model_(std::make_shared<served_model const>(o, threads_, std::cerr)),
      workers_(worker_threads(*threads_)),
      batcher_(
          {.images = o.max_batch, .delay = o.max_delay, .queue = o.queue},
          turns_,
          [this] { return !traffic_.draining && traffic_.connections > traffic_.waiting; },
          [this](index_t images, double seconds) { metrics_.count_batch(images, seconds); }) {}

std::shared_ptr<served_model const> service::model() const {
  std::lock_guard const lock(mutex_);
  return model_;
}

std::optional<reply> service::refuse(request_head const& head) const {
  auto const* const which = find_route(head.path());
  if (which == nullptr)
    return error_reply(404, "not_found", "nothing is here; /openapi.json says what there is");
  bool const is_head_of_get = head.method == "HEAD" && which->method == "GET";
  if (head.method != which->method && !is_head_of_get) {
    auto refusal = error_reply(
        405, "method_not_allowed", std::string(which->path) + " takes " + allowed_methods(*which));
    refusal.headers = {{"Allow", allowed_methods(*which)}};
    return refusal;
  }
  if (token_.is_required() && !which->is_open && !token_.is_in(head.authorization)) {
    auto refusal = error_reply(
        401, "unauthorized", "the request needs the server's token: Authorization: Bearer TOKEN");
    refusal.headers = {{"WWW-Authenticate", "Bearer"}};
    return refusal;
  }
  if (task_of(which->what) && !is_picture_type(head.content_type))
    return error_reply(415,
                       "unsupported_media_type",
                       "the Content-Type must be image/png, image/jpeg, application/octet-stream "
                       "or multipart/form-data, not " +
                           mae::in_quotes(media_type(head.content_type)));
  return std::nullopt;
}

void service::answer(request in, send_reply send) {
  auto const& which = *find_route(in.head.path());
  if (!task_of(which.what)) {
    auto const now = [&] {
      try {
        return answer_now(which, in.head);
      } catch (...) {
        return reply_of_failure(std::current_exception());
      }
    };
    return send(now());
  }
  auto const shared = std::make_shared<request>(std::move(in));
  workers_.post([this, &which, shared, send = std::move(send)] {
    try {
      take_pictures(which, *shared, send);
    } catch (...) {
      send(reply_of_failure(std::current_exception()));
    }
  });
}

reply service::answer_now(route const& which, request_head const& head) const {
  bool const is_ready = !traffic_.draining;
  switch (which.what) {
    case endpoint::page:
      return page_reply();
    case endpoint::readiness:
      if (!is_ready) return error_reply(503, "draining", "the server is about to end");
      return text_reply("ready\n");
    case endpoint::counts: {
      auto counts = text_reply(metrics_.text({.connections = traffic_.connections,
                                              .queue_images = batcher_.waiting(),
                                              .ready = is_ready}));
      counts.content_type = "text/plain; version=0.0.4; charset=utf-8";
      return counts;
    }
    case endpoint::interface:
      return {.body = describe_interface(*model(), needs_token())};
    case endpoint::model:
      return {.body = model()->describe()};
    case endpoint::thumbnail:
      return thumbnail_of(*model(), read_thumbnail_request(which, head));
    default:
      return text_reply("ok\n");
  }
}

void service::take_pictures(route const& which, request const& in, send_reply const& send) {
  if (*in.abandoned) return;
  auto work = std::make_shared<picture_work>(picture_work{model(), {}, {}, in.abandoned, send});
  auto const what = *task_of(which.what);
  if (!work->model->offers(what)) throw not_offered(what);
  auto const most = static_cast<std::size_t>(options_.max_batch);
  std::vector<std::string_view> pictures;
  work->asked = read_picture_request(which, in, *work->model, most, pictures);
  if (what == task::view) {
    auto const pixels = decode_pictures(what, pictures, *work->model, *in.abandoned);
    if (!*in.abandoned) send(view_of(*work->model, pixels));
    return;
  }
  auto const images = static_cast<index_t>(work->asked.images);
  if (!batcher_.reserve(images)) {
    auto refusal = error_reply(429, "queue_full", "too many pictures wait already (--queue)");
    double const seconds = std::clamp(std::ceil(batcher_.seconds_of_queue()), 1.0, 60.0);
    refusal.headers = {{"Retry-After", std::to_string(static_cast<int>(seconds))}};
    return send(std::move(refusal));
  }
  try {
    work->pixels = decode_pictures(what, pictures, *work->model, *in.abandoned);
    if (*in.abandoned) return batcher_.release(images);
    enqueue(std::move(work));
  } catch (...) {
    batcher_.release(images);
    throw;
  }
}

void service::enqueue(std::shared_ptr<picture_work> work) {
  image_batch of{.what = work->asked.what,
                 .images = static_cast<index_t>(work->asked.images),
                 .pixels = work->pixels,
                 .hidden = work->asked.hidden,
                 .attention = work->asked.attention};
  auto const abandoned = work->abandoned;
  auto const model = work->model;
  auto done = [this, work = std::move(work)](std::span<float const> values,
                                             std::exception_ptr const& failure) {
    try {
      if (failure) std::rethrow_exception(failure);
      if (*work->abandoned) return;
      workers_.post([work, own = std::vector<float>(values.begin(), values.end())] {
        if (*work->abandoned) return;
        try {
          work->send(answer_of(work->asked, *work->model, work->pixels, own));
        } catch (...) {
          work->send(reply_of_failure(std::current_exception()));
        }
      });
    } catch (...) {
      work->send(reply_of_failure(std::current_exception()));
    }
  };
  batcher_.push(
      {.model = model, .of = std::move(of), .done = std::move(done), .abandoned = abandoned});
}

/// What a client is told; what is the server's own fault is told the log alone.
reply service::reply_of_failure(std::exception_ptr const& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (request_error const& error) {
    return error.to_reply();
  } catch (std::bad_alloc const&) {
    return error_reply(503, "out_of_memory", "the server has too little memory for the request");
  } catch (std::exception const& error) {
    log_line(std::string("error: ") + error.what());
  }
  return error_reply(500, "internal", "the server failed; its log says how");
}

void service::count(request_head const& head, reply const& answer, double seconds) {
  auto const* const which = find_route(head.path());
  std::string const path(which == nullptr ? "other" : which->path);
  metrics_.count_request(path, answer.status, answer.error_code, seconds);
  if (!options_.log_requests) return;
  std::ostringstream line;
  line.precision(3);
  line << path << ' ' << answer.status << ' ' << std::fixed << seconds * 1e3 << " ms";
  log_line(line.str());
}

void service::reload() {
  std::lock_guard const lock(mutex_);
  reload_again_ = is_reloading_;
  if (is_reloading_) return;
  if (reloader_.joinable()) reloader_.join();
  reloader_ = std::thread([this] {
    for (bool again = true; again;) {
      read_again();
      std::lock_guard const turn(mutex_);
      again = std::exchange(reload_again_, false);
      is_reloading_ = again;
    }
  });
  is_reloading_ = true;  // before the thread looks: it waits for the lock
}

void service::read_again() {
  std::ostringstream notes;
  try {
    auto const read = std::make_shared<served_model const>(
        options_,
        threads_,
        notes,
        encoding_beside{.others = &turns_, .is_ending = &traffic_.draining});
    auto const old = model();  // which may be gone with the last request to it, not within the lock
    {
      std::lock_guard const lock(mutex_);
      model_ = read;
    }
    metrics_.count_reload(true);
    log_line("reloaded: " + read->sentence());
  } catch (std::exception const& error) {
    metrics_.count_reload(false);
    log_line(std::string("not reloaded, the model stays as it was: ") + error.what());
  }
  if (!notes.str().empty()) std::cerr << notes.str() << std::flush;
}

void service::drain() {
  traffic_.draining = true;
  batcher_.look_again();
}

void service::stop() {
  traffic_.draining = true;  // what is read again is not read to its end
  if (reloader_.joinable()) reloader_.join();
  batcher_.stop();
  workers_.stop();
}

}  // namespace serve
