// Typed access to JSON objects with precise errors.
#include "runtime/frontend/json_fields.h"

#include "generators/error.h"

#include <fmt/format.h>

#include <climits>

namespace convsmith {

void JsonFields::fail(const std::string &field, const std::string &got, const std::string &want) const {
    throw Error(ErrorCode::BadArgument,
                fmt::format("{}: field '{}' is {}, want {}", where_, field, got, want));
}

const Json *JsonFields::find(const std::string &field) const {
    const auto it = object_.find(field);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::optional<int> JsonFields::integer(const std::string &field) const {
    const Json *value = find(field);
    return value ? std::optional<int>(to_int(field, *value)) : std::nullopt;
}

int JsonFields::required_integer(const std::string &field) const {
    const std::optional<int> value = integer(field);
    if (!value) {
        fail(field, "missing", "an integer");
    }
    return *value;
}

std::optional<std::vector<int>> JsonFields::integers(const std::string &field) const {
    const Json *value = find(field);
    if (!value) {
        return std::nullopt;
    }
    if (!value->is_array()) {
        fail(field, value->dump(), "an array of integers");
    }
    std::vector<int> numbers;
    for (const Json &number : *value) {
        numbers.push_back(to_int(field, number));
    }
    return numbers;
}

bool JsonFields::boolean(const std::string &field) const {
    const Json *value = find(field);
    if (value && !value->is_boolean()) {
        fail(field, value->dump(), "true or false");
    }
    return value && value->get<bool>();
}

std::string JsonFields::text(const std::string &field, const std::string &absent) const {
    const Json *value = find(field);
    if (value && !value->is_string()) {
        fail(field, value->dump(), "a string");
    }
    return value ? value->get<std::string>() : absent;
}

std::string JsonFields::required_text(const std::string &field) const {
    if (!find(field)) {
        fail(field, "missing", "a string");
    }
    return text(field, "");
}

double JsonFields::number(const std::string &field, double absent) const {
    const Json *value = find(field);
    if (value && !value->is_number()) {
        fail(field, value->dump(), "a number");
    }
    return value ? value->get<double>() : absent;
}

JsonFields JsonFields::required_object(const std::string &field) const {
    const Json *value = find(field);
    if (!value || !value->is_object()) {
        fail(field, value ? value->dump() : "missing", "an object");
    }
    return {where_ + ": " + field, *value};
}

void JsonFields::expect(const std::string &field, int64_t want) const {
    const std::optional<int> got = integer(field);
    if (got && *got != want) {
        fail(field, std::to_string(*got), std::to_string(want));
    }
}

int JsonFields::to_int(const std::string &field, const Json &value) const {
    if (!value.is_number_integer() || value > INT_MAX || value < INT_MIN) {
        fail(field, value.dump(), "a 32-bit integer");
    }
    return value.get<int>();
}

} // namespace convsmith
