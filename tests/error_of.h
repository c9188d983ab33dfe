// What a mistake is answered with: for tests of error messages.
#pragma once

#include "generators/error.h"

#include <gtest/gtest.h>

#include <string>

namespace convsmith {

/// The message of the Error that `action` throws; fails the test if it throws none or one with another code.
template<typename Action>
std::string error_of(const Action &action, ErrorCode code = ErrorCode::BadArgument) {
    try {
        action();
    } catch (const Error &error) {
        EXPECT_EQ(error.code(), code) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return "";
}

} // namespace convsmith
