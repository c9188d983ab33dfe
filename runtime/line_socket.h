// Both directions of a socket between programs that talk a line at a time: workers
// (autotune/worker_serve.cpp), programs on other machines (ssh.h), the process of ONNX Runtime
// (bench/peers/onnxruntime_server.h).
#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/types.h>

namespace convsmith {

class LineSocket {
public:
    /// The socket stays the caller's.
    explicit LineSocket(int socket) : socket_(socket) {}

    int fd() const { return socket_; }

    /// Sends all of `text`; false, with errno, if the other side has gone.
    bool send(const std::string &text) const {
        for (size_t sent = 0; sent < text.size();) {
            const ssize_t got = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
            if (got < 0 && errno != EINTR)
                return false;
            sent += got > 0 ? static_cast<size_t>(got) : 0;
        }
        return true;
    }

    /// The next line without its end; nothing when the other side has gone.
    std::optional<std::string> next() {
        for (;;) {
            if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
                std::string line = buffer_.substr(0, end);
                buffer_.erase(0, end + 1);
                return line;
            }
            char block[4096];
            const ssize_t got = recv(socket_, block, sizeof block, 0);
            if (got > 0)
                buffer_.append(block, static_cast<size_t>(got));
            else if (got == 0 || errno != EINTR)
                return std::nullopt;
        }
    }

private:
    int socket_;
    std::string buffer_;
};

} // namespace convsmith
