#pragma once

#include "batcher.hpp"
#include "bearer_token.hpp"
#include "log_line.hpp"
#include "message.hpp"
#include "metrics.hpp"
#include "routes.hpp"
#include "serve_options.hpp"
#include "served_model.hpp"
#include "turns.hpp"
#include "workers.hpp"

#include <mae/core/parallel.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace serve {

/// What a server knows of its connections.
struct traffic {
  std::atomic<int> connections = 0;
  std::atomic<int> waiting = 0;  // those whose request is being answered
  std::atomic<bool> draining = false;
};

/// Answers requests: everything but sockets.
class service {
 public:
  /// Reads the model. Throws as served_model and bearer_token::find.
  explicit service(serve_options const& o);
  service(service const&) = delete;
  service& operator=(service const&) = delete;
  ~service() { stop(); }

  /// The refusal of a request that its head decides: 401, 404, 405, 415.
  std::optional<reply> refuse(request_head const& head) const;
  /// Answers a request that was not refused: at once, or from another thread.
  void answer(request in, send_reply send);
  /// Counts a request that was answered, by whomever, and logs it where that is asked for.
  void count(request_head const& head, reply const& answer, double seconds);

  /// Reads the model again on a thread of its own; what fails is a line of the log, and the model
  /// stays as it was.
  void reload();
  /// No more requests will come than were taken: none waits for company.
  void drain();
  /// Fewer requests may come: what waits for company need perhaps not.
  void look_again() { batcher_.look_again(); }
  /// Answers all that was taken, and ends the threads.
  void stop();

  traffic& connections() { return traffic_; }
  std::shared_ptr<served_model const> model() const;
  bool needs_token() const { return token_.is_required(); }

 private:
  struct picture_work;

  reply answer_now(route const& which, request_head const& head) const;
  void take_pictures(route const& which, request const& in, send_reply const& send);
  void enqueue(std::shared_ptr<picture_work> work);
  static reply reply_of_failure(std::exception_ptr const& failure);
  void read_again();

  serve_options options_;
  bearer_token token_;
  std::shared_ptr<mae::thread_pool> threads_;
  turns turns_;  // of those who compute by them
  mutable std::mutex mutex_;
  std::shared_ptr<served_model const> model_;
  std::thread reloader_;
  bool is_reloading_ = false;
  bool reload_again_ = false;
  traffic traffic_;
  metrics metrics_;
  workers workers_;
  batcher batcher_;
};

}  // namespace serve
