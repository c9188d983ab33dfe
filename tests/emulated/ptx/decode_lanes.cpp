// Instructions that concern a lane's own registers only (decoder.h): arithmetic by its table, comparisons,
// conversions, moves.
#include "tests/emulated/ptx/decoder.h"

#include <algorithm>

namespace convsmith::ptx {

namespace {

constexpr Named<Combination> kCombinations[] = {
    {"and", Combination::And}, {"or", Combination::Or}, {"xor", Combination::Xor}};
constexpr Named<Rounding> kRoundings[] = {
    {"rn", Rounding::Nearest}, {"rz", Rounding::Zero}, {"rm", Rounding::Down}, {"rp", Rounding::Up}};
constexpr Named<Rounding> kIntegerRoundings[] = {
    {"rni", Rounding::Nearest}, {"rzi", Rounding::Zero}, {"rmi", Rounding::Down}, {"rpi", Rounding::Up}};

/// Of arithmetic: results here are rounded to nearest, approximate ones too.
constexpr std::string_view kPrecisions[] = {"rn", "approx", "full"};

} // namespace

void Decoder::arithmetic() {
    if (std::find(modifiers_.begin(), modifiers_.end(), "cc") != modifiers_.end()) {
        carry_arithmetic();
        return;
    }
    const std::vector<Type> types = take_types();
    in_.flushes = take("ftz");
    in_.saturates = take("sat");
    take_all(kPrecisions);
    std::string name(statement_.opcode);
    for (const std::string_view modifier : modifiers_)
        name.append(".").append(modifier);
    modifiers_.clear();
    require(types.size() == 1 || types.size() == 2);
    const auto with_types = [&](std::size_t first) {
        std::string longer = name;
        for (std::size_t i = first; i < types.size(); i++)
            longer.append(".").append(info(types[i]).name);
        return longer;
    };
    const Arithmetic *row = find_arithmetic(with_types(1), types[0]);
    if (!row)
        row = find_arithmetic(with_types(0), Type::None);
    require(row != nullptr);
    in_.type = types[0];
    in_.handler = in_.flushes || in_.saturates ? row->modified : row->plain;
    require(in_.handler != nullptr);
    in_.counts_as_fma = statement_.opcode == "fma" || (statement_.opcode == "mad" && info(in_.type).is_float);
    expect_operands(row->sources + 1);
    in_.dst[0] = kernel_.destination(operand(0).name, row->dst_slot);
    for (std::size_t i = 0; i < row->sources; i++)
        in_.src[i] = kernel_.source(operand(i + 1), row->src_slots[i]);
}

/// `mad.lo.cc.u32`, which gives a carry, `madc.hi.u32`, which takes one, and `madc.lo.cc.u32`, which does
/// both.
void Decoder::carry_arithmetic() {
    std::string name(statement_.opcode.substr(0, 3));
    if (statement_.opcode.size() > name.size())
        in_.src[3] = kernel_.carry();
    if (take("cc"))
        in_.dst[1] = kernel_.carry();
    const bool is_multiplication = name == "mad";
    if (is_multiplication)
        name += take("lo") ? ".lo" : take("hi") ? ".hi" : "";
    in_.type = take_type();
    in_.handler = find_carry_arithmetic(name, in_.type);
    require(in_.handler != nullptr);
    const std::size_t sources = is_multiplication ? 3 : 2;
    expect_operands(sources + 1);
    set_destination(in_.type);
    for (std::size_t i = 0; i < sources; i++)
        set_source(i, i + 1, in_.type);
}

void Decoder::logic() {
    const std::vector<Type> types = take_types();
    if (types.size() != 1 || types[0] != Type::Pred) {
        for (const Type type : types)
            modifiers_.push_back(info(type).name);
        arithmetic();
        return;
    }
    const std::size_t sources = statement_.opcode == "not" ? 1 : 2;
    expect_operands(sources + 1);
    set_destination(Type::Pred);
    for (std::size_t i = 0; i < sources; i++)
        set_source(i, i + 1, Type::Pred);
    in_.handler = find_predicate_logic(statement_.opcode);
}

void Decoder::decode_comparison(Type type) {
    in_.flushes = take("ftz");
    require(!modifiers_.empty());
    const std::string_view name = modifiers_[0];
    take(name);
    in_.combination = take_any(kCombinations).value_or(Combination::None);
    in_.comparison = find_comparison(name, type);
    require(in_.comparison != nullptr);
    set_source(0, 1, type);
    set_source(1, 2, type);
    set_combination(3);
}

void Decoder::set_combination(std::size_t operand_index) {
    expect_operands(in_.combination == Combination::None ? operand_index : operand_index + 1);
    if (in_.combination == Combination::None)
        return;
    in_.src[2] = kernel_.source(operand(operand_index), 0);
    in_.is_source_negated = operand(operand_index).is_negated;
}

void Decoder::compare_predicates() {
    decode_comparison(take_type());
    const OperandText &pair = operand(0); // `%p1|%p2`, the second optional
    require(pair.form == OperandText::Form::Name);
    in_.dst[0] = kernel_.destination(pair.name, 0);
    if (!pair.second.empty())
        in_.dst[1] = kernel_.destination(pair.second, 0);
    in_.handler = set_predicates;
}

void Decoder::compare_value() {
    const std::vector<Type> types = take_types();
    require(types.size() == 2 && slot_of(types[0]) == 4);
    decode_comparison(types[1]);
    in_.type = types[0];
    set_destination(in_.type);
    in_.handler = set_value;
}

void Decoder::convert() {
    const std::vector<Type> types = take_types();
    require(types.size() == 2);
    if (types[0] == Type::F16x2) {
        const Arithmetic *row = find_arithmetic("cvt.f16x2", types[1]);
        require(row != nullptr && take("rn"));
        expect_operands(3);
        set_destination(types[0]);
        set_source(0, 1, types[1]);
        set_source(1, 2, types[1]);
        in_.handler = row->plain;
        return;
    }
    in_.flushes = take("ftz");
    in_.saturates = take("sat");
    const std::optional<Rounding> to_integer = take_any(kIntegerRoundings);
    in_.rounds_to_integer = to_integer.has_value();
    in_.rounding = to_integer ? *to_integer : take_any(kRoundings).value_or(Rounding::Nearest);
    // A type without interpretation is converted like an unsigned one.
    const auto as_unsigned = [](Type type) {
        return type == Type::B8    ? Type::U8
               : type == Type::B16 ? Type::U16
               : type == Type::B32 ? Type::U32
               : type == Type::B64 ? Type::U64
                                   : type;
    };
    require(to_integer || info(types[0]).is_float || !info(types[1]).is_float);
    in_.type = types[0];
    in_.handler = find_conversion(as_unsigned(types[0]), as_unsigned(types[1]));
    require(in_.handler != nullptr);
    expect_operands(2);
    in_.dst[0] = kernel_.destination(operand(0).name);
    in_.src[0] = kernel_.source(operand(1));
    require(in_.dst[0].slot >= info(types[0]).bytes && in_.src[0].slot >= info(types[1]).bytes);
}

/// An address of a state space becomes a generic one, or `.to`: the other way round.
void Decoder::convert_address() {
    const bool is_to_space = take("to");
    const std::optional<Space> space = take_any(kSpaces);
    const Type type = take_type();
    require(space.has_value() && *space != Space::Param && info(type).bytes == 8);
    const std::uint64_t window = *space == Space::Shared  ? kSharedWindow
                                 : *space == Space::Local ? kLocalWindow
                                                          : 0;
    in_.offset = static_cast<std::int64_t>(is_to_space ? 0 - window : window);
    expect_operands(2);
    set_destination(type);
    set_source(0, 1, type);
    in_.handler = add_offset;
}

void Decoder::move() {
    in_.type = take_type();
    expect_operands(2);
    const OperandText &to = operand(0), &from = operand(1);
    const bool is_unpacking = to.form == OperandText::Form::Vector;
    if (!is_unpacking && from.form != OperandText::Form::Vector) {
        set_destination(in_.type);
        set_source(0, 1, in_.type);
        in_.handler = move_handler(slot_of(in_.type));
        return;
    }
    const OperandText &parts = is_unpacking ? to : from;
    in_.elements = static_cast<std::uint8_t>(parts.elements.size());
    require(in_.elements == 2 || in_.elements == 4);
    for (std::size_t i = 0; i < in_.elements; i++) {
        if (is_unpacking)
            in_.dst[i] = kernel_.destination(parts.elements[i].name, 4);
        else
            in_.src[i] = kernel_.source(parts.elements[i], 4);
    }
    if (is_unpacking)
        set_source(0, 1, in_.type);
    else
        set_destination(in_.type);
    in_.handler = is_unpacking ? unpack : pack;
}

void Decoder::select() {
    in_.type = take_type();
    in_.handler = select_handler(slot_of(in_.type));
    require(in_.handler != nullptr);
    expect_operands(4);
    set_destination(in_.type);
    set_source(0, 1, in_.type);
    set_source(1, 2, in_.type);
    set_source(2, 3, Type::Pred);
}

} // namespace convsmith::ptx
