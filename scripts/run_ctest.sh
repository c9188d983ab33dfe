#!/usr/bin/env bash
# Runs ctest in a build directory and counts test cases, not programs.
#   scripts/run_ctest.sh BUILD_DIR [ctest options]
# A GoogleTest program counts as its cases (it writes an XML report); anything else counts as one. A program that
# dies without a report counts as one failure. The last line is "N passed, N failed, N skipped".
set -euo pipefail

build=$(realpath "$1")
shift
reports=$build/test_reports
rm -rf "$reports"
mkdir -p "$reports"

status=0
# A directory name ending in "/" makes each GoogleTest program write <program>.xml into it.
GTEST_OUTPUT="xml:$reports/" ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" \
    --output-junit "$reports/ctest.junit" "$@" || status=$?

# Lines "NAME STATUS" of ctest's own report.
programs() {
    tr '\n' ' ' <"$reports/ctest.junit" | grep -o '<testcase [^>]*' |
        sed -n 's/.* name="\([^"]*\)".* status="\([^"]*\)".*/\1 \2/p; s/.* status="\([^"]*\)".* name="\([^"]*\)".*/\2 \1/p'
}
count() { grep -c "$1" "$2" || true; }

passed=0 failed=0 skipped=0
while read -r name result; do
    xml=$reports/$name.xml
    if [ -s "$xml" ]; then
        cases=$(count '<testcase ' "$xml")
        case_failed=$(grep -c '<failure ' <(awk '/<testcase /{seen=0} /<failure /&&!seen{seen=1; print}' "$xml") || true)
        case_skipped=$(count 'result="skipped"' "$xml")
        failed=$((failed + case_failed))
        skipped=$((skipped + case_skipped))
        passed=$((passed + cases - case_failed - case_skipped))
        [ "$result" = run ] || [ "$case_failed" -gt 0 ] || failed=$((failed + 1))
    elif [ "$result" = run ]; then
        passed=$((passed + 1))
    elif [ "$result" = notrun ] || [ "$result" = disabled ]; then
        skipped=$((skipped + 1))
    else
        failed=$((failed + 1))
    fi
done < <(programs)

if [ $((passed + failed)) = 0 ]; then
    echo "no test ran"
    status=1
fi
[ "$failed" = 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
