// Filling in the blanks of generated texts (see text_template.h).
#include "runtime/library/text_template.h"

#include "generators/error.h"

#include <cctype>

namespace convsmith::library {

std::string fill_in(std::string_view text, const Blanks &blanks) {
    std::string out;
    while (!text.empty()) {
        const size_t begin = text.find('@');
        out += text.substr(0, begin);
        if (begin == std::string_view::npos)
            break;
        const size_t end = text.find('@', begin + 1);
        CONVSMITH_CHECK(end != std::string_view::npos);
        const auto value = blanks.find(text.substr(begin + 1, end - begin - 1));
        CONVSMITH_CHECK(value != blanks.end());
        out += value->second;
        text.remove_prefix(end + 1);
    }
    return out;
}

std::string upper_case(std::string text) {
    for (char &c : text)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

} // namespace convsmith::library
