#pragma once

#include "serve_options.hpp"
#include "service.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace serve {

/// A service's HTTP/1.1, asynchronous: one thread reads and writes for all connections, so that a
/// slow client holds up nobody.
class http_server {
 public:
  /// Listens. The service outlives the server. Throws mae::error where the system refuses the
  /// place.
  http_server(serve_options const& o, service& answering);
  http_server(http_server const&) = delete;
  http_server& operator=(http_server const&) = delete;
  ~http_server();

  /// "http://127.0.0.1:8080"
  std::string url() const;

  /// Serves until SIGTERM or SIGINT, then finishes what was taken; a second such signal ends it at
  /// once. SIGHUP reads the model again.
  void run();

 private:
  class parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace serve
