#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Requests and replies, as routes see them: free of sockets.

namespace serve {

/// What a request says before its body.
struct request_head {
  std::string method;
  std::string target;  // as it was sent: path and query, a proxy's with scheme and host before
  std::string content_type;
  std::string accept;
  std::string authorization;
  bool has_body = false;

  /// The target's part before the question mark, without scheme and host.
  std::string_view path() const;
};

struct request {
  request_head head;
  std::string body;
  /// Set when nobody waits for the answer any more.
  std::shared_ptr<std::atomic<bool> const> abandoned;
};

struct reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string error_code = {};  // of an error, for the counts of them
};

/// Takes a reply, on any thread, once.
using send_reply = std::function<void(reply)>;

/// {"error": {"code": ..., "message": ...}}. The message is made printable.
reply error_reply(int status, std::string const& code, std::string_view message);

/// An error of a request, which becomes that reply.
class request_error : public std::runtime_error {
 public:
  request_error(int status, std::string code, std::string const& message)
      : std::runtime_error(message), status_(status), code_(std::move(code)) {}

  reply to_reply() const { return error_reply(status_, code_, what()); }

 private:
  int status_;
  std::string code_;
};

/// A query's values by name. Throws request_error (400) for what is not percent-encoded as it
/// should be, (422) for a name that stands there twice or is not among `known`.
std::map<std::string, std::string> parse_query(std::string_view target,
                                               std::vector<std::string_view> const& known);

/// A header's value without its parameters, in lower case: "multipart/form-data; boundary=x" is
/// "multipart/form-data".
std::string media_type(std::string_view value);

/// The first of `offered` that an Accept header asks for most; empty where it takes none of them.
/// Without the header it takes all.
std::string_view choose_media_type(std::string_view accept,
                                   std::vector<std::string_view> const& offered);

/// The word of a status: "Not Found".
std::string_view reason_of(int status);

}  // namespace serve
