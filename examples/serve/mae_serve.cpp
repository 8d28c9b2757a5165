// Answers HTTP requests with what a checkpoint's encoder, classifier and decoder make of pictures.

#include "http_server.hpp"
#include "program.hpp"
#include "serve_options.hpp"
#include "service.hpp"

#include <iostream>
#include <string>

namespace {

bool is_local(std::string const& host) {
  return host.starts_with("127.") || host == "::1";
}

void run(serve::serve_options const& o) {
  serve::service answering(o);
  serve::http_server server(o, answering);
  if (!answering.needs_token() && !is_local(o.host))
    serve::log_line("warning: whoever reaches " + o.host + " may ask: there is no token");
  std::cout << "serving " << answering.model()->sentence() << '\n'
            << "listening at " << server.url() << std::endl;
  server.run();
  answering.stop();
  serve::log_line("ended");
}

constexpr char const* introduction =
    "Serves a masked autoencoder by HTTP: features, classes and reconstructions of pictures.\n"
    "Usage: mae_serve --model FILE|DIR [--classifier FILE] [--host 127.0.0.1] [--port 8080]\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_serve", "a smaller --max-batch needs less", [&](char const* name) {
        serve::serve_options options;
        pretrain::run_or_explain(
            name, argc, argv, introduction, serve::flags_for(options), [&](auto const& /*given*/) {
              serve::check_combinations(options);
              run(options);
            });
      });
}
