// The decoder of one instruction: what its parts share. Before it: decode.h, the entry; after it:
// decode_lanes.cpp (instructions on a lane's own registers) and decode_warp.cpp (memory, control flow, other
// lanes).
#pragma once

#include "tests/emulated/ptx/decode.h"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace convsmith::ptx {

/// Thrown and caught within the decoder: the emulator does not know the instruction.
struct Unsupported {};

template<typename Value>
struct Named {
    std::string_view name;
    Value value;
};

constexpr Named<Space> kSpaces[] = {{"global", Space::Global},
                                    {"shared", Space::Shared},
                                    {"local", Space::Local},
                                    {"param", Space::Param},
                                    {"const", Space::Const}};

class Decoder {
public:
    Decoder(const Statement &statement, KernelBuilder &kernel)
        : statement_(statement), kernel_(kernel), modifiers_(statement.modifiers) {}

    Instruction decode();

private:
    struct Family {
        std::string_view opcode;
        void (Decoder::*decode)();
    };
    static const Family kFamilies[];

    bool take(std::string_view modifier);
    /// The value of the first of `names` that is a modifier.
    template<typename Value, std::size_t Count>
    std::optional<Value> take_any(const Named<Value> (&names)[Count]) {
        for (const Named<Value> &row : names) {
            if (take(row.name))
                return row.value;
        }
        return std::nullopt;
    }
    /// Whether any of `names` is a modifier.
    template<std::size_t Count>
    bool take_all(const std::string_view (&names)[Count]) {
        bool is_any = false;
        for (const std::string_view name : names)
            is_any |= take(name);
        return is_any;
    }
    std::vector<Type> take_types();
    /// The only type among the modifiers.
    Type take_type();
    static void require(bool is_supported) {
        if (!is_supported)
            throw Unsupported();
    }

    const OperandText &operand(std::size_t index) const;
    void expect_operands(std::size_t count) const { require(statement_.operands.size() == count); }
    void set_source(std::size_t index, std::size_t operand_index, Type type);
    void set_destination(Type type);

    // decode_lanes.cpp
    void arithmetic();
    void carry_arithmetic();
    void compare_predicates();
    void compare_value();
    void convert();
    void convert_address();
    void logic();
    void move();
    void select();
    void decode_comparison(Type type);
    void set_combination(std::size_t operand_index);

    // decode_warp.cpp
    void activemask();
    void atomic();
    void barrier();
    void branch();
    void exit();
    void fence();
    void load();
    void reduction();
    void return_to_caller();
    void shuffle();
    void store();
    void trap();
    void vote();
    void decode_access();
    void set_address(const OperandText &text);
    void set_parameter(const OperandText &text);
    void set_elements(const OperandText &text, std::array<Operand, 4> &out, bool is_source);
    void decode_atomic(bool has_destination);

    const Statement &statement_;
    KernelBuilder &kernel_;
    std::vector<std::string_view> modifiers_; ///< those not understood yet
    Instruction in_;
};

} // namespace convsmith::ptx
