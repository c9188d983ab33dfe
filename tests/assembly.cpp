// See assembly.h.
#include "tests/assembly.h"

#include <gtest/gtest.h>

namespace convsmith::testing {

void expect_none(const autotune::Loop &loop, const std::vector<const char *> &mnemonics) {
    for (const char *mnemonic : mnemonics)
        EXPECT_EQ(loop.count(mnemonic), 0) << mnemonic;
}

void expect_no_vector_addressing(const autotune::Loop &loop) {
    expect_none(loop, {"vpextr", "vpinsr", "vpadd", "vpmul", "vpbroadcast", "vextract", "vinsert", "vgather",
                       "vperm", "vunpck", "imul", "call", "div", "idiv"});
}

} // namespace convsmith::testing
