// The demo's helper program, run by scripts/demo.sh around the C host (host.c):
//   convsmith_demo prepare MODEL LIBRARY PHOTO DIR               writes inputs and layers.inc into DIR
//   convsmith_demo report MODEL LIBRARY PHOTO DIR GRID [NAME=DIR]  judges the outputs in DIR, prints the
//   table
#include "demo/detector.h"
#include "generators/error.h"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <string>
#include <vector>

int main(int argc, char **argv) {
    using namespace convsmith::demo;
    const std::vector<std::string> args(argv + 1, argv + argc);
    const bool prepares = args.size() == 5 && args[0] == "prepare";
    const bool reports = args.size() >= 6 && args[0] == "report";
    if (!prepares && !reports) {
        fmt::print(stderr,
                   "usage: convsmith_demo prepare|report MODEL LIBRARY PHOTO DIR [GRID [NAME=DIR...]]\n");
        return 2;
    }
    try {
        const Detector detector(args[1], args[2], args[3]);
        if (prepares) {
            prepare(detector, args[4]);
            return 0;
        }
        std::vector<OtherMachine> others;
        for (size_t i = 6; i < args.size(); i++) {
            const size_t split = args[i].find('=');
            others.push_back({args[i].substr(0, split), args[i].substr(split + 1)});
        }
        return report(detector, args[4], others, args[5]) > 0 ? 1 : 0;
    } catch (const std::exception &error) {
        fmt::print(stderr, "convsmith_demo: {}\n", error.what());
        return 1;
    }
}
