#pragma once

#include "message.hpp"
#include "serve_options.hpp"
#include "service.hpp"

// Before Asio of Boost 1.74, which uses std::exchange without it.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace serve {

class http_session;

/// What sessions have in common. All of it is used by the one thread that runs `io`.
struct session_context {
  serve_options const& options;
  service& answering;
  std::set<http_session*> sessions = {};
  boost::asio::io_context io{1};

  bool is_draining() const { return answering.connections().draining; }
};

/// One connection: reads a request, has it answered, writes the answer, and so on.
class http_session : public std::enable_shared_from_this<http_session> {
 public:
  http_session(session_context& context, boost::asio::ip::tcp::socket socket);
  http_session(http_session const&) = delete;
  http_session& operator=(http_session const&) = delete;
  ~http_session();

  /// Takes requests until either side is done.
  void start() { wait(); }
  /// Answers 503 and closes: there are too many connections.
  void turn_away();
  /// Ends a connection on which nothing was asked.
  void end_if_idle();

 private:
  using clock = std::chrono::steady_clock;
  using error_code = boost::system::error_code;
  using http_reply = boost::beast::http::response<boost::beast::http::string_body>;

  /// What the connection is at, and what its time running out means.
  enum class phase { idle, reading, answering, writing, lingering, closed };

  void wait();
  void read_head();
  void take_head(error_code failure);
  void allow_body();
  void read_body();
  void take_body(error_code failure);
  void answer();
  void take_reply(std::size_t number, reply answer);
  void refuse_reading(error_code failure);
  void write(reply answer, bool closes);
  void after_writing(error_code failure);
  void linger();
  void read_rest();
  void close();

  void enter(phase next, clock::time_point deadline);
  void on_timer(error_code failure);
  void out_of_time();
  clock::time_point in_time() const { return clock::now() + context_.options.request_timeout; }

  session_context& context_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  phase phase_ = phase::idle;

  // Of the request that is read or answered.
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  request_head head_;
  clock::time_point began_;
  std::size_t number_ = 0;  // of the requests of the connection
  bool timed_out_ = false;
  bool keeps_alive_ = false;
  std::shared_ptr<std::atomic<bool>> abandoned_;

  // Of the answer.
  http_reply reply_;
  bool closes_ = false;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>> writer_;
  std::array<char, 4096> rest_{};  // what is read and not looked at
  std::size_t rest_bytes_ = 0;
};

}  // namespace serve
