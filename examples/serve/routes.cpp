#include "routes.hpp"

#include <mae/core/version.hpp>
#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace serve {
namespace {

using mae::index_t;
using mae::json_object;

/// The one path with a part that varies.
constexpr std::string_view thumbnail_path = "/v1/gallery/{index}/thumbnail";

std::vector<parameter> painting_parameters() {
  return {{"ratio",
           R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1,"default":0.75})",
           "the share of patches that are hidden"},
          {"seed",
           R"({"type":"integer","minimum":0,"default":0})",
           "which patches are hidden: the same seed hides the same"},
          {"mask",
           R"({"type":"string","pattern":"^[01]+$"})",
           "which patches are hidden, instead of ratio and seed: a 1 for each hidden and a 0 for "
           "each seen one, row after row"},
          {"view",
           R"({"type":"string","enum":["pasted","painted","masked","sheet"],"default":"pasted"})",
           "what is shown: hidden patches painted among the others; all patches as painted; the "
           "image with its hidden patches grey; all of these"}};
}

std::vector<parameter> attention_parameters() {
  return {{"block",
           R"({"type":"integer","minimum":1})",
           "which of the encoder's blocks is looked into, from 1; without it the last"},
          {"heads",
           R"({"type":"string","enum":["mean","each"],"default":"mean"})",
           "the mean of the block's heads, or all of them"}};
}

std::vector<route> gallery_routes(parameter const& pool) {
  return {{"POST",
           "/v1/neighbours",
           endpoint::neighbours,
           false,
           "The gallery's pictures that are most like a picture",
           "application/json",
           {{"k",
             R"({"type":"integer","minimum":1,"maximum":100,"default":8})",
             "how many of them, that of the greatest cosine first"},
            pool}},
          {"GET",
           thumbnail_path,
           endpoint::thumbnail,
           false,
           "A picture of the gallery, small",
           "image/png",
           {{"index",
             R"({"type":"integer","minimum":0})",
             "of the picture, as /v1/neighbours says it",
             "path"},
            {"version",
             R"({"type":"string"})",
             "of the gallery, as /v1/neighbours says it; of another one the answer is 409"}}}};
}

std::vector<route> make_routes() {
  constexpr std::string_view json = "application/json";
  parameter const pool{"pool",
                       R"({"type":"string","enum":["mean","class","both"],"default":"mean"})",
                       "of a picture: the mean of its patch tokens, its class token, or both"};
  std::vector<parameter> const top{{"top",
                                    R"({"type":"integer","minimum":1,"default":5})",
                                    "how many classes are named for each picture"}};
  std::vector<route> routes{
      {"GET", "/", endpoint::page, true, "A page that shows what the model sees", "text/html"},
      {"GET", "/healthz", endpoint::health, true, "Whether the program runs", "text/plain"},
      {"GET", "/readyz", endpoint::readiness, true, "Whether it takes requests", "text/plain"},
      {"GET", "/metrics", endpoint::counts, false, "Counts, in Prometheus' format", "text/plain"},
      {"GET", "/openapi.json", endpoint::interface, false, "This description", json},
      {"GET", "/v1/model", endpoint::model, false, "What is served", json},
      {"POST",
       "/v1/features",
       endpoint::features,
       false,
       "Features of pictures",
       "application/json application/octet-stream",
       {pool}},
      {"POST",
       "/v1/tokens",
       endpoint::tokens,
       false,
       "All tokens of a picture, the class token first",
       "application/octet-stream"},
      {"POST", "/v1/view", endpoint::view, false, "A picture as the model takes it", "image/png"},
      {"POST", "/v1/classify", endpoint::classify, false, "Classes of pictures", json, top},
      {"POST",
       "/v1/reconstruct",
       endpoint::reconstruct,
       false,
       "A picture whose hidden patches are painted",
       "image/png",
       painting_parameters()},
      {"POST",
       "/v1/attention",
       endpoint::attention,
       false,
       "How much each token of a picture takes of each in a block, the class token first",
       "application/octet-stream",
       attention_parameters()}};
  for (auto& more : gallery_routes(pool)) routes.push_back(std::move(more));
  return routes;
}

/// What an answer holds, by its media type.
std::string content_of(std::string_view media_types) {
  json_object content;
  while (!media_types.empty()) {
    auto const end = std::min(media_types.find(' '), media_types.size());
    content.add_json(media_types.substr(0, end), R"({"schema":{}})");
    media_types.remove_prefix(std::min(end + 1, media_types.size()));
  }
  return content.line();
}

std::string responses_of(route const& which) {
  std::string const error = R"({"$ref":"#/components/responses/error"})";
  json_object all;
  all.add("200",
          json_object()
              .add("description", which.summary)
              .add_json("content", content_of(which.answers)));
  std::vector<char const*> errors{"400", "405", "408", "431", "500", "503"};
  if (!which.is_open) errors.push_back("401");
  if (which.what == endpoint::thumbnail)
    for (char const* const status : {"404", "409", "422"}) errors.push_back(status);
  if (task_of(which.what))
    for (char const* const status : {"406", "413", "415", "422", "429"}) errors.push_back(status);
  std::ranges::sort(errors, {}, [](char const* text) { return std::string_view(text); });
  for (char const* const status : errors) all.add_json(status, error);
  return all.line();
}

std::string parameters_of(route const& which) {
  std::string list = "[";
  for (auto const& one : which.parameters) {
    json_object of;
    of.add("name", one.name).add("in", one.in).add("description", one.description);
    if (one.in == "path") of.add("required", true);
    (list += list.size() > 1 ? "," : "") += of.add_json("schema", std::string(one.schema)).line();
  }
  return list + ']';
}

json_object describe(route const& which, bool needs_token) {
  json_object all;
  all.add("summary", which.summary).add_json("parameters", parameters_of(which));
  if (task_of(which.what)) {
    json_object content;
    for (char const* const type : {"image/png", "image/jpeg", "application/octet-stream"})
      content.add_json(type, R"({"schema":{"type":"string","format":"binary"}})");
    content.add_json("multipart/form-data", R"({"schema":{"type":"object"}})");
    all.add("requestBody", json_object().add("required", true).add("content", content));
  }
  if (needs_token && !which.is_open) all.add_json("security", R"([{"token":[]}])");
  return all.add_json("responses", responses_of(which));
}

}  // namespace

std::vector<route> const& all_routes() {
  static std::vector<route> const routes = make_routes();
  return routes;
}

std::optional<index_t> picture_in(std::string_view path) {
  constexpr auto number = thumbnail_path.find('{');
  constexpr auto rest = thumbnail_path.substr(thumbnail_path.find('}') + 1);
  constexpr std::size_t most_digits = 9;
  if (!path.starts_with(thumbnail_path.substr(0, number)) || !path.ends_with(rest)) return {};
  if (path.size() <= number + rest.size()) return {};
  auto const digits = path.substr(number, path.size() - number - rest.size());
  if (digits.size() > most_digits) return {};
  index_t index = 0;
  for (char const digit : digits) {
    if (digit < '0' || digit > '9') return {};
    index = 10 * index + (digit - '0');
  }
  return index;
}

route const* find_route(std::string_view path) {
  if (path == thumbnail_path) return nullptr;
  if (picture_in(path)) path = thumbnail_path;
  auto const found = std::ranges::find(all_routes(), path, &route::path);
  return found == all_routes().end() ? nullptr : &*found;
}

std::optional<task> task_of(endpoint what) {
  switch (what) {
    case endpoint::features:
      return task::features;
    case endpoint::classify:
      return task::classify;
    case endpoint::reconstruct:
      return task::reconstruct;
    case endpoint::tokens:
      return task::tokens;
    case endpoint::view:
      return task::view;
    case endpoint::attention:
      return task::attention;
    case endpoint::neighbours:
      return task::neighbours;
    default:
      return std::nullopt;
  }
}

std::string describe_interface(served_model const& model, bool needs_token) {
  json_object paths;
  for (auto const& which : all_routes()) {
    auto const needed = task_of(which.what);
    if (needed && !model.offers(*needed)) continue;
    if (which.what == endpoint::thumbnail && model.pictures() == nullptr) continue;
    char const* const method = which.method == "GET" ? "get" : "post";
    paths.add(which.path, json_object().add(method, describe(which, needs_token)));
  }
  json_object components;
  components.add_json(
      "responses",
      R"({"error":{"description":"An error","content":{"application/json":{"schema":)"
      R"({"type":"object","required":["error"],"properties":{"error":{"type":"object",)"
      R"("required":["code","message"],"properties":{"code":{"type":"string"},)"
      R"("message":{"type":"string"}}}}}}}}})");
  if (needs_token)
    components.add_json("securitySchemes", R"({"token":{"type":"http","scheme":"bearer"}})");
  json_object all;
  all.add("openapi", "3.1.0")
      .add("info", json_object().add("title", "mae_serve").add("version", MAE_VERSION))
      .add("paths", paths)
      .add("components", components);
  return all.line() + '\n';
}

}  // namespace serve
