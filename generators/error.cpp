// Implementation of the invariant check declared in error.h.
#include "generators/error.h"

namespace convsmith::detail {

void check_failed(const char *condition, const char *file, int line) {
    std::string where(file);
    where = where.substr(where.find_last_of('/') + 1);
    throw Error(ErrorCode::Internal, "internal error: " + std::string(condition) + " does not hold at " +
                                         where + ":" + std::to_string(line));
}

} // namespace convsmith::detail
