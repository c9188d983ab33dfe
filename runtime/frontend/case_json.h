// JSON with a memory of where it came from, so that every mistake in a case file names file and field. Shared
// by the case readers; internal to the front end.
#pragma once

#include "runtime/oracle.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace convsmith {

/// A JSON value and its path in a file. The value must outlive it. Accessors throw Error(BadArgument) that
/// names file and field, want and got.
class JsonField {
public:
    JsonField(const std::string &file, const nlohmann::json &value) : file_(file), value_(&value) {}

    const std::string &file() const { return file_; }

    bool has(const std::string &name) const { return value_->is_object() && value_->contains(name); }
    JsonField at(const std::string &name) const;
    /// The elements of an array.
    std::vector<JsonField> items() const;
    /// The members of an object by name.
    std::vector<std::pair<std::string, JsonField>> members() const;

    std::string text() const;
    double number() const;
    int64_t integer() const;
    bool boolean() const;
    std::vector<int64_t> integers() const;
    std::vector<double> numbers() const;
    bool is_text() const { return value_->is_string(); }
    bool is_number() const { return value_->is_number(); }
    bool is_integer() const { return value_->is_number_integer(); }

    /// Throws Error(BadArgument): "FILE: field 'a.b': PROBLEM".
    [[noreturn]] void fail(const std::string &problem) const;

private:
    JsonField(const JsonField &parent, const std::string &path, const nlohmann::json &value)
        : file_(parent.file_), path_(path), value_(&value) {}

    std::string file_;
    std::string path_;
    const nlohmann::json *value_;
};

/// A tensor record {name, dtype, shape, file}: raw little-endian values in C order in a file beside the case.
struct TensorRecord {
    explicit TensorRecord(const JsonField &record);

    std::string name;
    std::string dtype;
    std::vector<int64_t> shape;
    JsonField field;

    bool is_float() const { return dtype == "f32" || dtype == "f64"; }

    /// Reads the values. Throws Error if the dtype is unknown, or the file is missing or has another size.
    Tensor load() const;
};

/// `numbers` as an f32 tensor. Throws Error(BadArgument) naming `field` if the count does not fit.
Tensor make_f32_tensor(const std::vector<double> &numbers, const std::vector<int64_t> &shape,
                       const JsonField &field);

/// The filter whose dimensions are lettered by `order`, a permutation of "oihw", in the order "oihw".
Tensor to_oihw(const Tensor &filter, const std::string &order);

} // namespace convsmith
