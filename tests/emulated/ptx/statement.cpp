// The lexer and the grammar of instructions (statement.h).
#include "tests/emulated/ptx/statement.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace convsmith::ptx {

namespace {

bool is_word_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' || c == '.';
}

class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(source.substr(0, source.find('\0'))) {}

    std::vector<Token> tokens() {
        std::vector<Token> tokens;
        for (;;) {
            skip_blanks();
            if (at_ >= source_.size())
                return tokens;
            const std::size_t start = at_;
            const int line = line_;
            take_token();
            tokens.push_back({source_.substr(start, at_ - start), line});
        }
    }

private:
    bool looks_at(std::string_view text) const { return source_.substr(at_, text.size()) == text; }

    /// Advances behind the next `end`, or to the end of the source.
    void skip_past(std::string_view end) {
        while (at_ < source_.size() && !looks_at(end))
            advance();
        at_ = std::min(at_ + end.size(), source_.size());
    }

    void advance() { line_ += source_[at_++] == '\n' ? 1 : 0; }

    void skip_blanks() {
        while (at_ < source_.size()) {
            if (looks_at("//")) {
                while (at_ < source_.size() && source_[at_] != '\n')
                    at_++;
            } else if (looks_at("/*")) {
                skip_past("*/");
            } else if (std::isspace(static_cast<unsigned char>(source_[at_])) != 0) {
                advance();
            } else {
                return;
            }
        }
    }

    void take_token() {
        const char first = source_[at_++];
        if (first == '"') {
            skip_past("\"");
        } else if (is_word_character(first)) {
            while (at_ < source_.size() && is_word_character(source_[at_]))
                at_++;
        }
    }

    std::string_view source_;
    std::size_t at_ = 0;
    int line_ = 1;
};

/// Splits `ld.global.v4.f32`.
void split_opcode(std::string_view text, Statement &statement) {
    std::size_t end = text.find('.');
    statement.opcode = text.substr(0, end);
    while (end != std::string_view::npos) {
        const std::size_t start = end + 1;
        end = text.find('.', start);
        statement.modifiers.push_back(text.substr(start, end - start));
    }
}

OperandText parse_address(TokenStream &tokens) {
    OperandText operand;
    operand.form = OperandText::Form::Address;
    if (tokens.peek().text != "-" && !is_number(tokens.peek().text)) {
        operand.name = tokens.next().text;
        if (tokens.accept("]"))
            return operand;
        if (tokens.peek().text != "-")
            tokens.expect("+");
    }
    operand.number = parse_number(tokens);
    tokens.expect("]");
    return operand;
}

OperandText parse_operand(TokenStream &tokens);

/// The rest of a vector or list, up to `end`.
OperandText parse_elements(TokenStream &tokens, OperandText::Form form, std::string_view end) {
    OperandText operand;
    operand.form = form;
    if (tokens.accept(end))
        return operand;
    do {
        operand.elements.push_back(parse_operand(tokens));
    } while (tokens.accept(","));
    tokens.expect(end);
    return operand;
}

OperandText parse_operand(TokenStream &tokens) {
    if (tokens.accept("["))
        return parse_address(tokens);
    if (tokens.accept("{"))
        return parse_elements(tokens, OperandText::Form::Vector, "}");
    if (tokens.accept("("))
        return parse_elements(tokens, OperandText::Form::List, ")");
    OperandText operand;
    if (tokens.peek().text == "-" || is_number(tokens.peek().text)) {
        operand.form = OperandText::Form::Number;
        operand.number = parse_number(tokens);
        return operand;
    }
    operand.is_negated = tokens.accept("!");
    operand.name = tokens.next().text;
    if (!is_word_character(operand.name[0]))
        tokens.fail("an operand cannot begin with `" + std::string(operand.name) + "`");
    if (tokens.accept("|"))
        operand.second = tokens.next().text;
    return operand;
}

} // namespace

TokenStream::TokenStream(std::string_view source) : tokens_(Lexer(source).tokens()) {}

const Token &TokenStream::peek(std::size_t ahead) const {
    static const Token none = {"", 0};
    return next_ + ahead < tokens_.size() ? tokens_[next_ + ahead] : none;
}

const Token &TokenStream::next() {
    if (at_end())
        fail("unexpected end of the text");
    return tokens_[next_++];
}

bool TokenStream::accept(std::string_view text) {
    if (peek().text != text)
        return false;
    next_++;
    return true;
}

void TokenStream::expect(std::string_view text) {
    const std::string_view got = next().text;
    if (got != text)
        fail("expected `" + std::string(text) + "`, found `" + std::string(got) + "`");
}

void TokenStream::skip_braces() {
    int depth = 0;
    do {
        const std::string_view text = next().text;
        depth += text == "{" ? 1 : text == "}" ? -1 : 0;
    } while (depth > 0);
}

void TokenStream::fail(const std::string &message) const {
    const int line = next_ > 0 ? tokens_[next_ - 1].line : 1;
    throw Fault(Status::InvalidPtx, "PTX line " + std::to_string(line) + ": " + message);
}

bool is_number(std::string_view text) {
    return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0;
}

std::uint64_t parse_number(TokenStream &tokens) {
    const bool is_negative = tokens.accept("-");
    std::string_view text = tokens.next().text;
    const std::string whole(text);
    int base = 10;
    const auto has_prefix = [&](char letter) {
        return text.size() > 2 && text[0] == '0' &&
               std::tolower(static_cast<unsigned char>(text[1])) == letter;
    };
    if (has_prefix('x') || has_prefix('f') || has_prefix('d')) { // floats are written as their bits
        text.remove_prefix(2);
        base = 16;
    } else if (has_prefix('b')) {
        text.remove_prefix(2);
        base = 2;
    } else if (text.size() > 1 && text[0] == '0') {
        base = 8;
    }
    if (!text.empty() && text.back() == 'U')
        text.remove_suffix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        tokens.fail("cannot read the number `" + whole + "`");
    return is_negative ? 0 - value : value;
}

Statement parse_statement(TokenStream &tokens) {
    Statement statement;
    const Token first = tokens.peek();
    statement.line = first.line;
    if (tokens.accept("@")) {
        statement.is_guard_negated = tokens.accept("!");
        statement.guard = tokens.next().text;
    }
    split_opcode(tokens.next().text, statement);
    if (tokens.peek().text != ";") {
        do {
            statement.operands.push_back(parse_operand(tokens));
        } while (tokens.accept(","));
    }
    const char *const end = tokens.peek().text.data();
    tokens.expect(";");
    statement.text = std::string_view(first.text.data(), static_cast<std::size_t>(end - first.text.data()));
    return statement;
}

} // namespace convsmith::ptx
