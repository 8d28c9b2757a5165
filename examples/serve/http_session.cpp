#include "http_session.hpp"

#include <mae/core/version.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace serve {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::uint32_t most_head_bytes = 16 * 1024;
constexpr auto time_to_linger = std::chrono::seconds(2);
constexpr auto between_cancels = std::chrono::milliseconds(10);
constexpr std::size_t most_rest_bytes = std::size_t{64} << 20U;  // read and thrown away

std::string now_as_date() {
  std::time_t const now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  std::size_t const length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

template <class View>
std::string text_of(View const& view) {
  return {view.data(), view.size()};
}

/// What a request that cannot be read is answered; nothing where nobody waits for an answer.
std::optional<reply> reply_of(boost::system::error_code const& failure, bool timed_out) {
  if (timed_out)
    return error_reply(408, "timeout", "the request was not here in time (--request-timeout)");
  if (failure == http::error::body_limit)
    return error_reply(413, "body_too_large", "the body is larger than is taken (--max-body)");
  if (failure == http::error::header_limit)
    return error_reply(431, "head_too_large", "the request's head is larger than 16 KiB");
  if (failure == http::error::bad_version)
    return error_reply(505, "bad_version", "the server speaks HTTP/1.1 and HTTP/1.0");
  if (failure == http::error::end_of_stream) return std::nullopt;
  if (failure.category() == http::make_error_code(http::error::bad_method).category())
    return error_reply(400, "bad_request", "the request is no HTTP: " + failure.message());
  return std::nullopt;  // the connection broke
}

/// All lines of a header as one.
template <class Fields>
std::string joined_lines(Fields const& fields, http::field name) {
  std::string all;
  auto const [first, last] = fields.equal_range(name);
  for (auto line = first; line != last; ++line)
    (all += all.empty() ? "" : ", ") += text_of(line->value());
  return all;
}

}  // namespace

http_session::http_session(session_context& context, asio::ip::tcp::socket socket)
    : context_(context), socket_(std::move(socket)), timer_(context.io) {
  context_.sessions.insert(this);
  ++context_.answering.connections().connections;
}

http_session::~http_session() {
  context_.sessions.erase(this);
  --context_.answering.connections().connections;
  context_.answering.look_again();
}

// NOLINTBEGIN(misc-no-recursion): what a handler begins is no call of its own, the loop calls it.

void http_session::turn_away() {
  began_ = clock::now();
  write(error_reply(503, "too_many_connections", "too many connections (--max-connections)"), true);
}

void http_session::end_if_idle() {
  error_code unknown;
  if (phase_ == phase::idle && socket_.available(unknown) == 0) close();
}

/// Waits for the first byte of a request.
void http_session::wait() {
  enter(phase::idle, in_time());
  if (buffer_.size() > 0) return read_head();
  if (context_.is_draining()) return close();
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](error_code failure) {
                       if (self->phase_ != phase::idle) return;
                       failure ? self->close() : self->read_head();
                     });
}

void http_session::read_head() {
  began_ = clock::now();
  ++number_;
  timed_out_ = false;
  keeps_alive_ = false;
  head_ = {};
  parser_.emplace();
  parser_->header_limit(most_head_bytes);
  parser_->body_limit(context_.options.max_body);
  enter(phase::reading, in_time());
  http::async_read_header(
      socket_, buffer_, *parser_, [self = shared_from_this()](error_code failure, std::size_t) {
        self->take_head(failure);
      });
}

void http_session::take_head(error_code failure) {
  if (phase_ != phase::reading) return;
  auto const& message = parser_->get();
  head_ = {.method = text_of(message.method_string()),
           .target = text_of(message.target()),
           .content_type = text_of(message[http::field::content_type]),
           .accept = joined_lines(message, http::field::accept),
           .authorization = text_of(message[http::field::authorization]),
           .has_body = false};
  if (failure) return refuse_reading(failure);
  keeps_alive_ = message.keep_alive();
  head_.has_body = !parser_->is_done();
  auto const hosts = message.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() == 11))
    return write(error_reply(400, "bad_request", "an HTTP/1.1 request needs a Host, and one"),
                 true);
  // What is not read of a body is in the way of the next request.
  if (auto refusal = context_.answering.refuse(head_))
    return write(std::move(*refusal), head_.has_body);
  auto const expectation = message[http::field::expect];
  if (head_.has_body && boost::beast::iequals(expectation, "100-continue")) return allow_body();
  read_body();
}

/// Tells a client that waits for it to send the body.
void http_session::allow_body() {
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_,
                    asio::buffer(go_on.data(), go_on.size()),
                    [self = shared_from_this()](error_code failure, std::size_t) {
                      if (self->phase_ != phase::reading) return;
                      failure ? self->refuse_reading(failure) : self->read_body();
                    });
}

void http_session::read_body() {
  if (parser_->is_done()) return take_body({});
  http::async_read(
      socket_, buffer_, *parser_, [self = shared_from_this()](error_code failure, std::size_t) {
        self->take_body(failure);
      });
}

void http_session::take_body(error_code failure) {
  if (phase_ != phase::reading) return;
  if (failure) return refuse_reading(failure);
  answer();
}

void http_session::answer() {
  abandoned_ = std::make_shared<std::atomic<bool>>(false);
  enter(phase::answering, began_ + context_.options.request_timeout);
  ++context_.answering.connections().waiting;
  // Sessions begin and end on the thread of `io` alone: others hold none alive. This one is, by the
  // timer.
  auto send = [&io = context_.io, held = weak_from_this(), number = number_](reply answer) {
    asio::post(io, [held, number, answer = std::move(answer)]() mutable {
      if (auto const self = held.lock()) self->take_reply(number, std::move(answer));
    });
  };
  request asked{head_, std::move(parser_->get().body()), abandoned_};
  context_.answering.answer(std::move(asked), std::move(send));
}

/// What comes for a request that was given up is too late.
void http_session::take_reply(std::size_t number, reply answer) {
  if (phase_ != phase::answering || number != number_) return;
  --context_.answering.connections().waiting;
  write(std::move(answer), false);
}

void http_session::refuse_reading(error_code failure) {
  auto refusal = reply_of(failure, timed_out_);
  if (!refusal) return close();
  write(std::move(*refusal), true);
}

void http_session::write(reply answer, bool closes) {
  closes_ = closes || !keeps_alive_ || context_.is_draining();
  context_.answering.count(
      head_, answer, std::chrono::duration<double>(clock::now() - began_).count());
  reply_ = http_reply(static_cast<http::status>(answer.status), 11);
  reply_.reason(
      boost::beast::string_view(reason_of(answer.status).data(), reason_of(answer.status).size()));
  reply_.set(http::field::server, "mae_serve/" MAE_VERSION);
  reply_.set(http::field::date, now_as_date());
  reply_.set(http::field::content_type, answer.content_type);
  reply_.set(http::field::cache_control, "no-store");
  reply_.set("X-Content-Type-Options", "nosniff");
  for (auto const& [name, value] : answer.headers) reply_.set(name, value);
  if (closes_) reply_.set(http::field::connection, "close");
  reply_.body() = std::move(answer.body);
  reply_.content_length(reply_.body().size());
  writer_.emplace(reply_);
  enter(phase::writing, in_time());
  auto written = [self = shared_from_this()](error_code failure, std::size_t) {
    self->after_writing(failure);
  };
  if (head_.method == "HEAD")
    http::async_write_header(socket_, *writer_, std::move(written));
  else
    http::async_write(socket_, *writer_, std::move(written));
}

void http_session::after_writing(error_code failure) {
  if (phase_ != phase::writing) return;
  bool const is_broken = failure && failure != http::error::end_of_stream;
  writer_.reset();
  reply_ = {};
  parser_.reset();
  if (is_broken) return close();
  closes_ ? linger() : wait();
}

/// Closes this side, and reads what the other still sends: it may otherwise lose the answer, which
/// a reset of the connection takes out of its hands.
void http_session::linger() {
  enter(phase::lingering, clock::now() + time_to_linger);
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  buffer_.clear();
  rest_bytes_ = 0;
  read_rest();
}

void http_session::read_rest() {
  socket_.async_read_some(asio::buffer(rest_),
                          [self = shared_from_this()](error_code failure, std::size_t count) {
                            if (self->phase_ != phase::lingering) return;
                            self->rest_bytes_ += count;
                            if (failure || self->rest_bytes_ > most_rest_bytes)
                              return self->close();
                            self->read_rest();
                          });
}

void http_session::close() {
  if (phase_ == phase::answering) --context_.answering.connections().waiting;
  if (abandoned_) *abandoned_ = true;
  phase_ = phase::closed;
  error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
}

void http_session::enter(phase next, clock::time_point deadline) {
  phase_ = next;
  timer_.expires_at(deadline);
  timer_.async_wait([self = shared_from_this()](error_code failure) { self->on_timer(failure); });
}

void http_session::on_timer(error_code failure) {
  // One that was set anew meanwhile is not over.
  if (failure || phase_ == phase::closed || timer_.expiry() > clock::now()) return;
  out_of_time();
}

void http_session::out_of_time() {
  error_code ignored;
  switch (phase_) {
    case phase::reading:
      // What is read ends, and is answered 408. A part of it may just have come, whose handler
      // reads on: that one is not cancelled, the next is.
      timed_out_ = true;
      socket_.cancel(ignored);
      return enter(phase::reading, clock::now() + between_cancels);
    case phase::answering: {
      *abandoned_ = true;
      --context_.answering.connections().waiting;
      auto late = error_reply(503, "too_late", "no answer was there in time (--request-timeout)");
      late.headers = {{"Retry-After", "1"}};
      return write(std::move(late), false);
    }
    default:
      return close();
  }
}

// NOLINTEND(misc-no-recursion)

}  // namespace serve
