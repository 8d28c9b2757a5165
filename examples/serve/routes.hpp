#pragma once

#include "served_model.hpp"

#include <mae/core/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What can be asked, and where.

namespace serve {

enum class endpoint : std::uint8_t {
  page,
  health,
  readiness,
  counts,
  interface,
  model,
  features,
  tokens,
  classify,
  reconstruct,
  view,
  attention,
  neighbours,
  thumbnail
};

/// A parameter of a query, as /openapi.json describes it.
struct parameter {
  std::string_view name;
  std::string_view schema;  // JSON
  std::string_view description;
  std::string_view in = "query";
};

struct route {
  std::string_view method;
  std::string_view path;
  endpoint what = endpoint::health;
  bool is_open = false;  // answered without a token
  std::string_view summary = {};
  std::string_view answers = {};  // media types, separated by a space
  std::vector<parameter> parameters = {};
};

/// All of them, whether a model offers them or not.
std::vector<route> const& all_routes();

/// The route of a path; nullptr where there is none.
route const* find_route(std::string_view path);

/// Of a thumbnail's path, the number of its picture.
std::optional<mae::index_t> picture_in(std::string_view path);

/// The task of a route that takes pictures.
std::optional<task> task_of(endpoint what);

/// What is served, as OpenAPI 3.1; the routes are those that this model offers.
std::string describe_interface(served_model const& model, bool needs_token);

}  // namespace serve
