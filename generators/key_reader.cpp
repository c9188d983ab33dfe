// Reads a key token by token (see key_reader.h): each function consumes the tokens it understands, so that
// what is left can be named.
#include "generators/key_reader.h"

#include "generators/error.h"
#include "generators/key_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace convsmith {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (size_t begin = 0;;) {
        const size_t end = text.find(separator, begin);
        parts.push_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos)
            return parts;
        begin = end + 1;
    }
}

/// Digits without leading zeros that fit in an int.
std::optional<int> parse_int(std::string_view text) {
    int value = 0;
    const char *end = text.data() + text.size();
    const bool leading_zero = text.size() > 1 && text[0] == '0';
    if (text.empty() || !is_digit(text[0]) || leading_zero)
        return std::nullopt;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end ? std::optional<int>(value) : std::nullopt;
}

/// parse_int after an optional 'm' for minus.
std::optional<int> parse_signed_int(std::string_view text) {
    const bool negative = !text.empty() && text[0] == 'm';
    const std::optional<int> value = parse_int(negative ? text.substr(1) : text);
    return value && negative ? std::optional<int>(-*value) : value;
}

/// Letters before the first digit, or before the minus sign of a number.
size_t name_length(std::string_view token) {
    for (size_t i = 0; i < token.size(); i++) {
        const bool minus = token[i] == 'm' && i > 0 && i + 1 < token.size() && is_digit(token[i + 1]);
        if (minus || is_digit(token[i]))
            return i;
    }
    return token.size();
}

/// A key cut at its underscores; positions in it are for messages.
struct KeyText {
    std::string_view key;
    std::vector<std::string_view> tokens;
};

/// Reads one op's tokens [begin, end) from left to right; each read_ function consumes the tokens it
/// understands.
class KeyReader {
public:
    /// `first`: the op, or common input, of a composite that this op belongs to and takes its batch, extents
    /// and types from; null for the first op of a key.
    KeyReader(const KeyText &text, size_t begin, size_t end, const ConvDesc *first)
        : key_(text.key),
          tokens_(text.tokens.begin(), text.tokens.begin() + static_cast<std::ptrdiff_t>(end)), next_(begin),
          first_(first) {}

    ConvDesc read();

private:
    [[noreturn]] void fail(size_t token, const std::string &want) const;
    void read_field();
    bool read_number_field();
    bool read_word();
    bool read_rearrange(const std::string &name);
    bool read_types();
    bool read_layout();
    bool read_pad_mode();
    bool read_stage();
    std::vector<double> read_values();
    void mark_once(const std::string &field);
    std::vector<int> numbers_after(size_t letters);
    void set_numbers();
    void set_axes(const NumberField &field, std::vector<int> values, size_t token);

    struct Numbers {
        size_t token = 0; ///< where they were read
        std::vector<int> values;
    };

    std::string_view key_;
    std::vector<std::string_view> tokens_;
    size_t next_;
    const ConvDesc *first_;
    ConvDesc desc_;
    std::set<std::string> seen_;
    std::map<std::string, Numbers> numbers_;
};

void KeyReader::fail(size_t token, const std::string &want) const {
    const std::string where =
        token < tokens_.size() ? fmt::format("token {} {}", token + 1, quoted(tokens_[token])) : "end";
    throw Error(ErrorCode::BadArgument, fmt::format("key {}: {}: {}", quoted(key_), where, want));
}

void KeyReader::mark_once(const std::string &field) {
    if (!seen_.insert(field).second)
        fail(next_, fmt::format("field {} is given twice", field));
}

ConvDesc KeyReader::read() {
    const std::vector<OpInfo> &ops = op_table();
    const auto is_named = [&](const OpInfo &row) {
        return next_ < tokens_.size() && row.name == tokens_[next_];
    };
    const auto op = std::find_if(ops.begin(), ops.end(), is_named);
    if (op == ops.end()) {
        std::string names;
        for (const OpInfo &row : ops)
            names += (names.empty() ? "'" : ", '") + row.name + "'";
        fail(next_, "want one of " + names);
    }
    desc_.op = op->op;
    desc_.pad_mode = op->is_pool ? PadMode::Ignore : PadMode::Zeros;
    if (first_ != nullptr)
        desc_.rank = first_->rank;
    for (next_++; next_ < tokens_.size();)
        read_field();
    for (const NumberField &field : number_fields()) {
        if (field.is_required && (field.ops & bit(desc_.op)) != 0 && seen_.count(field.name) == 0 &&
            (first_ == nullptr || !is_shared(field)))
            fail(tokens_.size(), fmt::format("field {} is missing", field.name));
    }
    set_numbers();
    if (!op->has_filter)
        desc_.co = desc_.ci;
    return desc_;
}

void KeyReader::read_field() {
    if (tokens_[next_].empty())
        fail(next_, "empty, want a field or an epilogue stage");
    const bool in_epilogue = !desc_.epilogue.empty();
    if (!in_epilogue &&
        (read_number_field() || read_word() || read_types() || read_layout() || read_pad_mode()))
        return;
    if (read_stage())
        return;
    if (in_epilogue)
        fail(next_, "want an epilogue stage (fields come before the epilogue)");
    std::string names;
    for (const NumberField &field : number_fields())
        names += (field.ops & bit(desc_.op)) != 0 ? field.name + " " : "";
    fail(next_, "want one of " + names +
                    "with numbers, types (f32), a layout (nhwc), a padding mode or an epilogue stage");
}

/// The numbers of the next token, which has a name of `letters` letters.
std::vector<int> KeyReader::numbers_after(size_t letters) {
    std::vector<int> values;
    const bool can_be_negative = desc_.op == Op::Identity;
    for (const std::string_view part : split(tokens_[next_].substr(letters), 'x')) {
        const std::optional<int> value = can_be_negative ? parse_signed_int(part) : parse_int(part);
        if (!value)
            fail(next_,
                 fmt::format("{} is not a number from 0 to 2147483647 without leading zeros", quoted(part)));
        values.push_back(*value);
    }
    return values;
}

/// n1, ci64, i56x56, ...: letters, then numbers joined by 'x'.
bool KeyReader::read_number_field() {
    const std::string_view token = tokens_[next_];
    const size_t letters = name_length(token);
    const std::string name(token.substr(0, letters));
    const auto &fields = number_fields();
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const NumberField &f) { return f.name == name; });
    if (field == fields.end())
        return false;
    // Only the type names i8, i16, ... look like a field; alone they are extents, four of them joined are
    // types.
    if (name == "i" && parse_dtype(token.substr(0, token.find('x'))) &&
        (token.find_first_of("fiu", 1) != token.npos || seen_.count("i") != 0))
        return false;
    if ((field->ops & bit(desc_.op)) == 0)
        fail(next_, fmt::format("op {} has no field {}", op_info(desc_.op).name, name));
    if (first_ != nullptr && is_shared(*field))
        fail(next_, fmt::format("field {} follows from the op before", name));
    mark_once(name);
    const Numbers numbers{next_, numbers_after(letters)};
    if (field->scalar != nullptr && numbers.values.size() != 1)
        fail(next_, fmt::format("field {} has {} numbers, want 1", name, numbers.values.size()));
    numbers_[name] = numbers;
    next_++;
    return true;
}

/// mask, ceil, shuffle3, into256x64, ...; whether the op has it is for validate() to say.
bool KeyReader::read_word() {
    const std::string_view token = tokens_[next_];
    const size_t letters = name_length(token);
    const std::string name(token.substr(0, letters));
    if (token == "mask") {
        desc_.masked = true;
    } else if (token == "ceil") {
        desc_.ceil_mode = true;
    } else if (token == "indices" || token == "colindices") {
        for (const auto &row : kIndices)
            desc_.indices = token == row.name ? row.indices : desc_.indices;
    } else if (name == "into") {
        const std::vector<int> values = numbers_after(letters);
        if (values.size() != 2)
            fail(next_, "want two numbers: channels of the tensor written, first of them (into256x64)");
        desc_.co_total = values[0];
        desc_.co_begin = values[1];
    } else if (!read_rearrange(name)) {
        return false;
    }
    mark_once(name);
    next_++;
    return true;
}

bool KeyReader::read_rearrange(const std::string &name) {
    for (const auto &row : kRearranges) {
        if (name != row.name)
            continue;
        if (desc_.rearrange != Rearrange::None)
            fail(next_, "a second rearrangement, want at most one");
        const std::vector<int> values = numbers_after(name.size());
        if (values.size() != 1)
            fail(next_, fmt::format("{} numbers, want 1 ({}2)", values.size(), name));
        desc_.rearrange = row.rearrange;
        desc_.rearrange_factor = values[0];
        return true;
    }
    return false;
}

/// f32, or input x weights x accumulator x output.
bool KeyReader::read_types() {
    std::vector<DType> types;
    for (const std::string_view part : split(tokens_[next_], 'x')) {
        const std::optional<DType> type = parse_dtype(part);
        if (!type)
            return false;
        types.push_back(*type);
    }
    if (first_ != nullptr)
        fail(next_, "types are those of the first op");
    mark_once("types");
    if (types.size() != 1 && types.size() != 4)
        fail(next_, fmt::format("{} types, want 1 or 4 (input, weights, accumulator, output)", types.size()));
    types.resize(4, types[0]);
    desc_.in_type = types[0];
    desc_.weight_type = types[1];
    desc_.acc_type = types[2];
    desc_.out_type = types[3];
    next_++;
    return true;
}

/// nhwc, or input 2 output: nchw2nhwc.
bool KeyReader::read_layout() {
    const std::vector<std::string_view> names = split(tokens_[next_], '2');
    std::vector<Layout> layouts;
    std::vector<int> ranks;
    for (const std::string_view name : names) {
        for (int rank = 1; rank <= kMaxSpatialRank; rank++) {
            for (const Layout layout : {Layout::ChannelsLast, Layout::ChannelsFirst}) {
                if (name != layout_name(layout, rank))
                    continue;
                layouts.push_back(layout);
                ranks.push_back(rank);
            }
        }
    }
    if (layouts.size() != names.size() || names.size() > 2)
        return false;
    if (first_ != nullptr)
        fail(next_, "the layout is that of the first op");
    mark_once("layout");
    if (ranks.front() != ranks.back())
        fail(next_, "the two layouts have different ranks");
    desc_.in_layout = layouts.front();
    desc_.out_layout = layouts.back();
    numbers_["layout"] = {next_, ranks};
    next_++;
    return true;
}

bool KeyReader::read_pad_mode() {
    for (const PadMode mode : {PadMode::Zeros, PadMode::Constant, PadMode::Reflect, PadMode::Replicate,
                               PadMode::Circular, PadMode::Symmetric, PadMode::Ignore}) {
        if (tokens_[next_] != pad_mode_name(mode))
            continue;
        mark_once("padding mode");
        desc_.pad_mode = mode;
        const size_t at = next_++;
        const std::vector<double> values = read_values();
        const size_t want = mode == PadMode::Constant ? 1 : 0;
        if (values.size() != want)
            fail(at, fmt::format("followed by {} numbers, want {}", values.size(),
                                 want == 1 ? "1 (constant_v1p5)" : "none"));
        if (want == 1)
            desc_.pad_value = values[0];
        return true;
    }
    return false;
}

/// The longest stage name that the next tokens spell, and its numbers.
bool KeyReader::read_stage() {
    const EpilogueInfo *longest = nullptr;
    size_t longest_tokens = 0;
    for (const EpilogueInfo &info : epilogue_table()) {
        const std::vector<std::string_view> words = split(info.name, '_');
        if (words.size() > longest_tokens && words.size() <= tokens_.size() - next_ &&
            std::equal(words.begin(), words.end(), tokens_.begin() + next_)) {
            longest = &info;
            longest_tokens = words.size();
        }
    }
    if (longest == nullptr)
        return false;
    const size_t at = next_;
    next_ += longest_tokens;
    std::vector<double> values = read_values();
    if (values.empty())
        values = longest->param_defaults;
    if (values.size() != longest->param_names.size())
        fail(at, fmt::format("epilogue {} followed by {} numbers, want {}", longest->name, values.size(),
                             longest->param_names.size()));
    desc_.epilogue.push_back({longest->name, values});
    return true;
}

/// Every 'v...' token from here on.
std::vector<double> KeyReader::read_values() {
    std::vector<double> values;
    for (; next_ < tokens_.size() && !tokens_[next_].empty() && tokens_[next_][0] == 'v'; next_++) {
        const std::optional<double> value = parse_number_token(tokens_[next_].substr(1));
        if (!value)
            fail(next_, "want 'v' and a number like 1p5, m2, 1em5 or inf");
        values.push_back(*value);
    }
    return values;
}

/// Moves the numbers read into the descriptor, whose rank is the number of extents.
void KeyReader::set_numbers() {
    if (first_ == nullptr) {
        const Numbers &extents = numbers_.at("i");
        if (extents.values.size() > kMaxSpatialRank)
            fail(extents.token,
                 fmt::format("{} extents, want 1 to {}", extents.values.size(), kMaxSpatialRank));
        desc_.rank = static_cast<int>(extents.values.size());
    }
    for (const NumberField &field : number_fields()) {
        const auto found = numbers_.find(field.name);
        if (found == numbers_.end())
            continue;
        if (field.scalar != nullptr)
            desc_.*field.scalar = found->second.values[0];
        else
            set_axes(field, found->second.values, found->second.token);
    }
    const auto layout = numbers_.find("layout");
    if (layout != numbers_.end() && layout->second.values[0] != desc_.rank)
        fail(layout->second.token,
             fmt::format("layout of {} spatial axes, but i has {}", layout->second.values[0], desc_.rank));
}

void KeyReader::set_axes(const NumberField &field, std::vector<int> values, size_t token) {
    const auto rank = static_cast<size_t>(desc_.rank);
    const bool has_ends = field.axes_end != nullptr;
    const size_t want = has_ends ? 2 * rank : rank;
    if (values.size() != 1 && values.size() != want)
        fail(token, fmt::format("{} numbers, want {} ({}) or 1 for all{}", values.size(), want,
                                has_ends ? "begin of every axis, then end" : "the extents of i",
                                has_ends ? "" : " axes"));
    values.resize(want, values[0]);
    std::copy_n(values.begin(), rank, (desc_.*field.axes).begin());
    if (has_ends)
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(rank), rank,
                    (desc_.*field.axes_end).begin());
}

/// The first of tokens [begin, end) that is `word`, or end.
size_t find_word(const KeyText &text, size_t begin, size_t end, std::string_view word) {
    const auto tokens = text.tokens.begin();
    const auto from = tokens + static_cast<std::ptrdiff_t>(std::min(begin, end));
    return static_cast<size_t>(std::find(from, tokens + static_cast<std::ptrdiff_t>(end), word) - tokens);
}

/// Reads the ops after each `word` of tokens [begin, end); the first token is such a word.
void read_followers(const KeyText &text, size_t begin, size_t end, std::string_view word,
                    const ConvDesc &first, ConvDesc &desc) {
    for (size_t at = begin; at < end;) {
        const size_t next = find_word(text, at + 1, end, word);
        desc.then.push_back(KeyReader(text, at + 1, next, &first).read());
        at = next;
    }
}

/// Reads ops joined by "then" from tokens [begin, end).
ConvDesc read_chain(const KeyText &text, size_t begin, size_t end, const ConvDesc *first) {
    const size_t head_end = find_word(text, begin, end, "then");
    ConvDesc desc = KeyReader(text, begin, head_end, first).read();
    const ConvDesc shared = desc;
    read_followers(text, head_end, end, "then", first != nullptr ? *first : shared, desc);
    return desc;
}

/// Reads HEAD of BRANCH and BRANCH next OP, where `of` is the position of that word.
ConvDesc read_branches(const KeyText &text, size_t of) {
    ConvDesc desc = KeyReader(text, 0, of, nullptr).read();
    const ConvDesc shared = desc;
    const size_t end = text.tokens.size();
    const size_t branches_end = find_word(text, of, end, "next");
    for (size_t at = of; at < branches_end;) {
        const size_t next = find_word(text, at + 1, branches_end, "and");
        desc.branches.push_back(read_chain(text, at + 1, next, &shared));
        at = next;
    }
    read_followers(text, branches_end, end, "next", shared, desc);
    return desc;
}

} // namespace

std::string quoted(std::string_view text) {
    constexpr size_t kLongest = 240;
    std::string out = "'";
    for (const char c : text.substr(0, kLongest))
        out += c >= ' ' && c <= '~' ? c : '?';
    return out + (text.size() > kLongest ? "...'" : "'");
}

ConvDesc read_key(std::string_view key) {
    const KeyText text{key, split(key, '_')};
    const size_t end = text.tokens.size();
    const size_t of = find_word(text, 0, end, "of");
    return of < end ? read_branches(text, of) : read_chain(text, 0, end, nullptr);
}

} // namespace convsmith
