// `convsmith worker`: the process in which `tune` tries candidates (autotune/worker.h). Started by convsmith
// itself and not listed: it talks to the process that started it over its standard input.
#include "autotune/candidate.h"
#include "cli/commands.h"

#include <memory>

namespace convsmith::cli {

void add_worker(CLI::App &app, Command &command) {
    CLI::App &worker = *app.add_subcommand("worker", "Answer a tuner's requests")->group("");
    const auto parent = std::make_shared<int>(0);
    worker.add_option("PARENT", *parent, "Process that asks")->required();
    const auto place = std::make_shared<std::string>("native");
    worker.add_option("--runner", *place, "Where candidates run (autotune/place.h)");
    worker.callback([parent, place, &command] {
        autotune::CandidateServer server(nullptr, autotune::parse_place(*place));
        command.exit_code =
            autotune::serve(*parent, [&](const Json &request) { return server.answer(request); });
    });
}

} // namespace convsmith::cli
