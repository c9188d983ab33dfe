// The library writer's order of work (see library.h): plan everything, then write into a staged directory,
// then move it into place.
#include "runtime/library.h"

#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/library/archive.h"
#include "runtime/library/c_header.h"
#include "runtime/library/cmake_package.h"
#include "runtime/library/manifest.h"
#include "runtime/library/model.h"
#include "runtime/library/staging.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith {

namespace fs = std::filesystem;

namespace {

/// The files a library consists of, relative to its directory, sorted.
std::vector<std::string> library_files(const library::Model &model) {
    const std::string package = fmt::format("lib/cmake/{}/{}", model.name, model.name);
    std::vector<std::string> files = {fmt::format("include/{}.h", model.name), package + "Config.cmake",
                                      package + "ConfigVersion.cmake", "manifest.json"};
    for (const library::Platform &platform : model.platforms) {
        files.push_back(fmt::format("lib/{}/lib{}.a", platform.name, model.name));
        files.push_back(fmt::format("lib/{}/libconvsmith_runtime.a", platform.name));
    }
    std::sort(files.begin(), files.end());
    return files;
}

void write_text_files(const library::Model &model, const fs::path &root,
                      const std::vector<std::string> &files) {
    const fs::path package = root / "lib/cmake" / model.name;
    fs::create_directories(root / "include");
    fs::create_directories(package);
    write_file_atomically((root / "include" / (model.name + ".h")).string(), library::c_header(model));
    write_file_atomically((package / (model.name + "Config.cmake")).string(), library::cmake_config(model));
    write_file_atomically((package / (model.name + "ConfigVersion.cmake")).string(),
                          library::cmake_config_version());
    write_file_atomically((root / "manifest.json").string(), library::manifest(model, files));
}

/// Calls the progress function, if there is one, with a running count.
class Progress {
public:
    Progress(const LibraryOptions &options, int total) : options_(options), total_(total) {}
    void operator()(const std::string &what) {
        if (options_.progress)
            options_.progress({done_, total_, what});
        done_++;
    }

private:
    const LibraryOptions &options_;
    int total_;
    int done_ = 0;
};

} // namespace

LibraryReport build_library(const std::vector<Layer> &layers, const LibraryOptions &options) {
    const library::Model model = library::plan_library(layers, options);
    const std::vector<std::string> owned = library::files_of_manifest(options.directory);
    library::Staging staging(options.directory, {"include", "lib", "manifest.json"}, owned);

    const int platforms = static_cast<int>(model.platforms.size());
    Progress progress(options, platforms * library::archive_steps(model) + 1);
    LibraryReport report;
    report.files = library_files(model);
    report.kernels = static_cast<int>(model.kernels.size());
    report.layers = static_cast<int>(model.layers.size());
    try {
        for (size_t p = 0; p < model.platforms.size(); p++) {
            const std::string &name = model.platforms[p].name;
            const library::ArchivePlaces places = {staging.path() / "lib" / name, staging.scratch() / name};
            fs::create_directories(places.output);
            fs::create_directories(places.scratch);
            library::write_archives(model, p, places, [&](const std::string &what) { progress(what); });
        }
        progress("header and packages");
        write_text_files(model, staging.path(), report.files);
    } catch (const fs::filesystem_error &e) {
        throw Error(ErrorCode::Io,
                    fmt::format("output directory '{}': {}", options.directory, e.code().message()));
    }
    staging.commit();
    return report;
}

} // namespace convsmith
