// PTX text as tokens, and an instruction as it is written. Before it: the text that cuModuleLoadData gets;
// after it: declaration.cpp and body.cpp, and decode.cpp, which gives instructions their meaning.
#pragma once

#include "tests/emulated/ptx/fault.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace convsmith::ptx {

/// A word (`.reg`, `ld.param.u64`, `%r1`, `$L__BB0_2`, `0f3F800000`), a string or one character of
/// punctuation.
struct Token {
    std::string_view text; ///< part of the source
    int line;
};

class TokenStream {
public:
    /// Keeps views of `source`. Ends at the text's end or a zero byte.
    explicit TokenStream(std::string_view source);

    bool at_end() const { return next_ >= tokens_.size(); }
    /// The token `ahead` places on; an empty one behind the end.
    const Token &peek(std::size_t ahead = 0) const;
    /// Throws InvalidPtx at the end.
    const Token &next();
    /// Takes the next token if it is `text`.
    bool accept(std::string_view text);
    /// Throws InvalidPtx unless the next token is `text`.
    void expect(std::string_view text);
    /// Skips a block in braces, the next token being its opening one.
    void skip_braces();

    /// Index of the next token, to come back to by seek().
    std::size_t position() const { return next_; }
    void seek(std::size_t position) { next_ = position; }

    /// Throws InvalidPtx with the line of the last token taken.
    [[noreturn]] void fail(const std::string &message) const;

private:
    std::vector<Token> tokens_;
    std::size_t next_ = 0;
};

struct OperandText {
    enum class Form { Name, Number, Address, Vector, List };

    Form form = Form::Name;
    std::string_view name;             ///< Name; base of an Address, empty if that is a number alone
    std::string_view second;           ///< what follows the bar of `%p1|%p2`
    bool is_negated = false;           ///< `!%p1`
    std::uint64_t number = 0;          ///< Number: its bits; Address: the offset
    std::vector<OperandText> elements; ///< of a Vector, `{%r1, %r2}`, or a List, `(param0, param1)`
};

struct Statement {
    std::string_view guard; ///< predicate register; empty: none
    bool is_guard_negated = false;
    std::string_view opcode;                 ///< `ld`
    std::vector<std::string_view> modifiers; ///< `global`, `v4`, `f32`
    std::vector<OperandText> operands;
    std::string_view text; ///< all of it, without the semicolon
    int line = 0;
};

/// Reads an instruction and its semicolon. Throws InvalidPtx.
Statement parse_statement(TokenStream &tokens);

/// The bits of an integer, `0f` or `0d` literal, `-` included. Throws InvalidPtx.
std::uint64_t parse_number(TokenStream &tokens);

/// Whether a token starts with a digit.
bool is_number(std::string_view text);

} // namespace convsmith::ptx
