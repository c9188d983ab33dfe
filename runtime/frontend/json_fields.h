// Fields of one JSON object with errors that say where they are wrong. Used by the layer-list reader and
// writer, and for tuning records.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace convsmith {

/// JSON whose members keep their order.
using Json = nlohmann::ordered_json;

/// Typed access to the members of an object; null counts as absent. Every member function that finds a value
/// of the wrong type throws Error(BadArgument) naming place, field, got and want.
class JsonFields {
public:
    /// `where` opens every message: file and layer. `object` must outlive this view.
    JsonFields(std::string where, const Json &object) : where_(std::move(where)), object_(object) {}

    /// Throws "where: field 'field' is <got>, want <want>".
    [[noreturn]] void fail(const std::string &field, const std::string &got, const std::string &want) const;

    const Json *find(const std::string &field) const; ///< null if absent
    std::optional<int> integer(const std::string &field) const;
    int required_integer(const std::string &field) const;
    std::optional<std::vector<int>> integers(const std::string &field) const;
    bool boolean(const std::string &field) const; ///< false if absent
    std::string text(const std::string &field, const std::string &absent) const;
    std::string required_text(const std::string &field) const;
    double number(const std::string &field, double absent) const;
    /// The members of a nested object; messages name it "where: object".
    JsonFields required_object(const std::string &field) const;

    /// Checks a field that states what the rest of the layer implies: it may be absent but not be wrong.
    void expect(const std::string &field, int64_t want) const;

    const std::string &where() const { return where_; }

private:
    int to_int(const std::string &field, const Json &value) const;

    std::string where_;
    const Json &object_;
};

} // namespace convsmith
