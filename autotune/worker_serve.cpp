// The answering side of worker processes (see worker.h).
#include "autotune/worker.h"
#include "generators/error.h"
#include "runtime/line_socket.h"

#include <csignal>
#include <new>
#include <optional>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace convsmith::autotune {

namespace {

Json answer_of(const Json &request, const WorkerHandler &handler) {
    try {
        return handler(request);
    } catch (const Error &error) {
        return {{"error", error.what()}, {"code", static_cast<int>(error.code())}};
    }
}

} // namespace

int serve(int parent, const WorkerHandler &handler) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); // crashes are expected here
    if (getppid() != parent)       // it died before the line above
        return 1;
    LineSocket socket(STDIN_FILENO);
    while (const std::optional<std::string> line = socket.next()) {
        const Json request = Json::parse(*line, nullptr, /* allow_exceptions */ false);
        if (!request.is_object())
            return 1;
        const std::string answer =
            answer_of(request, handler).dump(-1, ' ', false, Json::error_handler_t::replace);
        if (!socket.send(answer + "\n"))
            return 0;
    }
    return 0;
}

} // namespace convsmith::autotune
