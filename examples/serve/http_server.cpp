#include "http_server.hpp"

#include "http_session.hpp"

#include <mae/core/error.hpp>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>

namespace serve {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using error_code = boost::system::error_code;

/// Takes connections, and signals.
class http_server::parts {
 public:
  parts(serve_options const& o, service& answering)
      : context_{.options = o, .answering = answering},
        acceptor_(context_.io),
        pause_(context_.io),
        signals_(context_.io) {
    listen();
    for (int const signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  }

  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

  void run() {
    accept();
    wait_for_signal();
    while (!serves_to_the_end()) {
    }
  }

 private:
  /// False where something failed on the way, as memory may, which costs a connection its answer
  /// and nobody else anything: its time runs out.
  bool serves_to_the_end() {
    try {
      context_.io.run();
      return true;
    } catch (std::exception const& failure) {
      log_line(std::string("error: ") + failure.what());
      return false;
    }
  }

  void listen() {
    auto const& o = context_.options;
    try {
      tcp::endpoint const place(asio::ip::make_address(o.host), o.port);
      acceptor_.open(place.protocol());
      acceptor_.set_option(tcp::acceptor::reuse_address(true));
      acceptor_.bind(place);
      acceptor_.listen(asio::socket_base::max_listen_connections);
    } catch (boost::system::system_error const& refused) {
      throw mae::error("cannot listen at " + o.host + " port " + std::to_string(o.port) + ": " +
                       refused.code().message());
    }
  }

  void accept() {
    acceptor_.async_accept([this](error_code failure, tcp::socket socket) {
      if (context_.is_draining()) return;
      if (failure) return accept_later();
      accept();  // first: taking this one may fail
      take(std::move(socket));
    });
  }

  /// Where the system has no more descriptors, asking again at once would only heat the room.
  void accept_later() {
    constexpr auto while_others_end = std::chrono::milliseconds(50);
    pause_.expires_after(while_others_end);
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled && !context_.is_draining()) accept();
    });
  }

  void take(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto const most = static_cast<std::size_t>(context_.options.max_connections);
    // Beyond these nobody is even told.
    constexpr std::size_t most_turned_away = 64;
    if (context_.sessions.size() >= most + most_turned_away) return;
    bool const is_full = context_.sessions.size() >= most;
    auto const session = std::make_shared<http_session>(context_, std::move(socket));
    is_full ? session->turn_away() : session->start();
  }

  void wait_for_signal() {
    signals_.async_wait([this](error_code failure, int signal) {
      if (failure || is_over_) return;
      wait_for_signal();  // first: what follows may fail
      if (signal == SIGHUP)
        context_.answering.reload();
      else
        drain();
    });
  }

  /// Takes what has come, and no more; ends when the last connection does.
  void drain() {
    if (context_.is_draining()) std::_Exit(EXIT_FAILURE);  // a second signal: at once
    log_line("ending: what was taken is finished");
    take_waiting();
    context_.answering.drain();
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    auto const all = context_.sessions;
    for (auto* const session : all) session->end_if_idle();
    end_when_empty();
  }

  /// The connections that the system has accepted already.
  void take_waiting() {
    error_code failure;
    acceptor_.non_blocking(true, failure);
    while (!failure) {
      tcp::socket socket(context_.io);
      acceptor_.accept(socket, failure);
      if (!failure) take(std::move(socket));
    }
  }

  /// Signals are waited for to the end.
  void end_when_empty() {
    if (context_.sessions.empty()) {
      error_code ignored;
      is_over_ = true;
      signals_.cancel(ignored);
      return;
    }
    constexpr auto between_looks = std::chrono::milliseconds(5);
    pause_.expires_after(between_looks);
    pause_.async_wait([this](error_code) { end_when_empty(); });
  }

  session_context context_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::signal_set signals_;
  bool is_over_ = false;
};

http_server::http_server(serve_options const& o, service& answering)
    : parts_(std::make_unique<parts>(o, answering)) {}
http_server::~http_server() = default;

std::string http_server::url() const {
  auto const place = parts_->endpoint();
  auto const address = place.address().to_string();
  return "http://" + (place.address().is_v6() ? '[' + address + ']' : address) + ':' +
         std::to_string(place.port());
}

void http_server::run() {
  parts_->run();
}

}  // namespace serve
