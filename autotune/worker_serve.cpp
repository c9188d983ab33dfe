// The answering side of worker processes (see worker.h).
#include "autotune/worker.h"
#include "generators/error.h"

#include <cerrno>
#include <csignal>
#include <new>
#include <optional>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace convsmith::autotune {

namespace {

constexpr int kSocket = STDIN_FILENO;

/// Lines from the socket.
class LineReader {
public:
    /// Nothing at the end.
    std::optional<std::string> next() {
        for (;;) {
            if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
                std::string line = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                return line;
            }
            char block[4096];
            const ssize_t got = recv(kSocket, block, sizeof block, 0);
            if (got > 0)
                buffer_.append(block, static_cast<size_t>(got));
            else if (got == 0 || errno != EINTR)
                return std::nullopt;
        }
    }

private:
    std::string buffer_;
};

bool send_all(const std::string &text) {
    for (size_t sent = 0; sent < text.size();) {
        const ssize_t got = send(kSocket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (got < 0 && errno != EINTR)
            return false;
        sent += got > 0 ? static_cast<size_t>(got) : 0;
    }
    return true;
}

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
    LineReader reader;
    while (const std::optional<std::string> line = reader.next()) {
        const Json request = Json::parse(*line, nullptr, /* allow_exceptions */ false);
        if (!request.is_object())
            return 1;
        const std::string answer =
            answer_of(request, handler).dump(-1, ' ', false, Json::error_handler_t::replace);
        if (!send_all(answer + "\n"))
            return 0;
    }
    return 0;
}

} // namespace convsmith::autotune
