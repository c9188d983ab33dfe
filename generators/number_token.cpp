// Numbers spelled with letters and digits only, as keys need them (number_token in conv_desc.h).
#include "generators/conv_desc.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace convsmith {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

} // namespace

std::string number_token(double value) {
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value == 0 ? 0.0 : value).ptr;
    std::string token;
    bool in_exponent = false;
    for (const char *c = buffer; c != end; c++) {
        // to_chars writes exponents with a sign and two digits at least: 1e-05, 1e+20.
        const bool padding = in_exponent && *c == '0' && c + 1 != end && !is_digit(token.back());
        if (*c == '+' || padding)
            continue;
        in_exponent = in_exponent || *c == 'e';
        token += *c == '-' ? 'm' : *c == '.' ? 'p' : *c;
    }
    return token;
}

std::optional<double> parse_number_token(std::string_view text) {
    const bool negative = !text.empty() && text[0] == 'm';
    if (negative)
        text.remove_prefix(1);
    const double infinity = std::numeric_limits<double>::infinity();
    if (text == "inf")
        return negative ? -infinity : infinity;
    const size_t digits = std::find_if_not(text.begin(), text.end(), is_digit) - text.begin();
    const bool leading_zero = digits > 1 && text[0] == '0';
    const bool bare_point =
        text.substr(digits, 1) == "p" && (digits + 1 == text.size() || !is_digit(text[digits + 1]));
    if (digits == 0 || leading_zero || bare_point || text.find_first_of("-.+") != text.npos)
        return std::nullopt;
    std::string decimal;
    for (const char c : text)
        decimal += c == 'm' ? '-' : c == 'p' ? '.' : c;
    double value = 0;
    const char *end = decimal.data() + decimal.size();
    const auto [stop, error] = std::from_chars(decimal.data(), end, value);
    if (error != std::errc() || stop != end)
        return std::nullopt;
    return negative && value != 0 ? -value : value;
}

} // namespace convsmith
