// What a compilation costs on this machine at this moment: standard headers and a few templates of
// theirs, optimised. Nothing of this project, so that it stays as it is.

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

template <int kind>
struct record {
  std::string name;
  std::vector<double> values;
  double mean() const {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
};

template <int kind>
std::string describe(std::string const& text) {
  std::map<std::string, record<kind>> sorted;
  std::unordered_map<std::string, std::shared_ptr<record<kind>>> hashed;
  std::regex const word("[a-z]+[0-9]{" + std::to_string(kind) + "}");
  std::mt19937 random(kind);
  for (std::sregex_iterator at(text.begin(), text.end(), word), end; at != end; ++at) {
    auto& entry = sorted[at->str()];
    entry.name = at->str();
    entry.values.push_back(std::normal_distribution<double>{}(random));
    hashed.emplace(entry.name, std::make_shared<record<kind>>(entry));
  }
  std::vector<record<kind>> all;
  for (auto const& [name, entry] : sorted) all.push_back(entry);
  std::function<bool(record<kind> const&, record<kind> const&)> const before =
      [](auto const& a, auto const& b) { return a.mean() < b.mean(); };
  std::stable_sort(all.begin(), all.end(), before);
  std::ostringstream out;
  for (auto const& entry : all) out << entry.name << ' ' << hashed.at(entry.name)->mean() << '\n';
  return out.str();
}

int main() {
  std::string const text = "a1 b22 c333";
  std::cout << describe<1>(text) << describe<2>(text) << describe<3>(text) << describe<4>(text);
}
