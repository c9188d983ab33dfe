// A process of its own for code that may be wrong: candidates are compiled, judged and timed in one, and
// whatever they do costs an answer, never the run. Two sides: Worker asks (in the tuner), serve() answers (in
// the worker's program); between them one JSON value a line over a socket.
#pragma once

#include "runtime/frontend/json_fields.h"
#include "runtime/records/record.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// What one request may use.
struct WorkerLimits {
    /// Not counted: time in which other processes had all cores. Ten times as long is too long in any case.
    double seconds = 30;
    int64_t memory_bytes = int64_t{4} << 30; ///< of the worker, resident
};

/// What came of a request.
struct Reply {
    Status status =
        Status::Ok;    ///< Ok: `answer` holds the answer; Crash, Timeout or OutOfMemory: the worker is gone
    std::string error; ///< "signal 11 (Segmentation fault): ..." with the end of what it printed
    Json answer;
};

/// A worker process, started by the first request and started anew by the one after its end. Belongs to one
/// thread: the process dies with the thread that started it.
class Worker {
public:
    /// `command`: program and arguments; the id of this process is added as the last one (serve). No shell.
    explicit Worker(std::vector<std::string> command);
    ~Worker();
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    /// Sends a request; the one before must have been answered. Throws Error(Io) if no process can be
    /// started.
    void post(const Json &request, const WorkerLimits &limits);

    /// The answer to what was posted, or nothing if there is none within `wait_ms`. A worker that dies, takes
    /// too long or too much is killed and said so.
    std::optional<Reply> poll(int wait_ms);

    /// Both, waiting as long as it takes.
    Reply ask(const Json &request, const WorkerLimits &limits);

    /// Whether the last request's process lives: it keeps what earlier requests left there.
    bool is_running() const { return child_ > 0; }

private:
    using Clock = std::chrono::steady_clock;

    void start();
    bool send_line(const std::string &line) const;
    /// Why the request at hand takes too long; empty if it does not.
    std::string overdue() const;
    /// False if the process has closed its end.
    bool receive(int wait_ms);
    std::optional<Reply> take_answer();
    /// Ends the process and says why: `status`, or Crash or OutOfMemory by how it died.
    Reply end(Status status, const std::string &why);

    std::vector<std::string> command_;
    WorkerLimits limits_; ///< of the request at hand
    Clock::time_point posted_;
    double waited_before_ = 0; ///< seconds that the process had waited for a core when the request was posted
    int child_ = 0;
    int socket_ = -1;
    int output_ = -1; ///< what the process prints, in memory
    std::string received_;
};

using WorkerHandler = std::function<Json(const Json &request)>;

/// The worker's side: answers requests from standard input, a socket, until it is closed; an Error of the
/// handler is answered as {"error", "code"}. Dies with process `parent`, whose child it must be. Returns the
/// program's exit code.
int serve(int parent, const WorkerHandler &handler);

} // namespace convsmith::autotune
