// The grammar of declarations (declaration.h).
#include "tests/emulated/ptx/declaration.h"

#include <algorithm>

namespace convsmith::ptx {

Declaration parse_declaration(TokenStream &tokens) {
    Declaration declaration;
    std::uint64_t elements = 1;
    while (!tokens.peek().text.empty() && tokens.peek().text[0] == '.') {
        const std::string_view word = tokens.next().text.substr(1);
        if (word == "align")
            declaration.alignment = static_cast<std::uint32_t>(parse_number(tokens));
        else if (word == "v2" || word == "v4")
            elements *= word == "v2" ? 2U : 4U;
        else if (parse_type(word) != Type::None)
            declaration.type = parse_type(word);
        else if (word == "reg")
            declaration.is_register = true;
        else if (!is_any_of(word, {"ptr", "global", "shared", "local", "const", "param"}))
            tokens.fail("unknown word `." + std::string(word) + "` in a declaration");
    }
    declaration.name = tokens.next().text;
    while (tokens.accept("[")) {
        declaration.is_unsized |= tokens.peek().text == "]";
        elements *= tokens.peek().text == "]" ? 0 : parse_number(tokens);
        tokens.expect("]");
    }
    if (declaration.type == Type::None)
        tokens.fail("a declaration without a type");
    declaration.bytes = elements * info(declaration.type).bytes;
    declaration.alignment = std::max<std::uint32_t>(declaration.alignment, info(declaration.type).bytes);
    return declaration;
}

std::vector<Declaration> parse_parameters(TokenStream &tokens) {
    std::vector<Declaration> parameters;
    if (tokens.accept(")"))
        return parameters;
    do {
        parameters.push_back(parse_declaration(tokens));
    } while (tokens.accept(","));
    tokens.expect(")");
    return parameters;
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), text) != names.end();
}

} // namespace convsmith::ptx
