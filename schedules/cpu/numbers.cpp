// The tables of all CPU classes that have one (see numbers.h).
#include "schedules/cpu/numbers.h"

#include "generators/error.h"
#include "schedules/arm_a55/numbers.h"
#include "schedules/arm_apple/numbers.h"
#include "schedules/arm_neon/numbers.h"
#include "schedules/x86_avx2/numbers.h"
#include "schedules/x86_avx512/numbers.h"

#include <algorithm>
#include <map>
#include <string>

namespace convsmith::cpu {

namespace {

auto find_shape(const std::vector<DenseShape> &dense, int co_vectors) {
    return std::find_if(dense.begin(), dense.end(),
                        [&](const DenseShape &shape) { return shape.co_vectors == co_vectors; });
}

} // namespace

int Numbers::largest(int co_vectors) const {
    const auto shape = find_shape(dense, co_vectors);
    return shape == dense.end() ? 0 : shape->positions;
}

const DenseShape &Numbers::shape(int co_vectors) const {
    const auto shape = find_shape(dense, co_vectors);
    CONVSMITH_CHECK(shape != dense.end());
    return *shape;
}

int Numbers::most_vectors() const {
    int most = 0;
    for (const DenseShape &shape : dense)
        most = std::max(most, shape.co_vectors);
    return most;
}

const Numbers &numbers_of(const Target &target) {
    static const std::map<std::string, Numbers> tables = {
        {"arm_neon", arm_neon::numbers()},     {"arm_a55", arm_a55::numbers()},
        {"arm_apple", arm_apple::numbers()},   {"x86_avx2", x86_avx2::numbers()},
        {"x86_avx512", x86_avx512::numbers()},
    };
    const auto table = tables.find(target.name);
    CONVSMITH_CHECK(table != tables.end());
    return table->second;
}

} // namespace convsmith::cpu
