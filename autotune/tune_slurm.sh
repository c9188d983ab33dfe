#!/usr/bin/env bash
# Tunes on the machines of a Slurm cluster: an array job whose tasks each tune a shard of the problems on a node of
# their own into a file of their own, then a job that joins the files. Run it where sbatch works:
#   autotune/tune_slurm.sh SHARDS DB SPEC... [options of convsmith tune]      e.g. 8 tuned.jsonl resnet50.json --budget 30m
# DB and what SPEC names must be visible from all nodes. $CONVSMITH is the program (default: convsmith on PATH); partition
# and the like come from sbatch's own variables (SBATCH_PARTITION, ...). The shards' files and logs lie in DB.shards; what
# they hold is not measured again, so the command can be repeated after a failure or to spend more time.
set -euo pipefail

die() {
    echo "tune_slurm: $*" >&2
    exit 2
}

task=${CONVSMITH_SLURM_TASK:-submit}
case $task in
submit)
    [ $# -ge 3 ] || die "got $# arguments, want SHARDS DB SPEC... (see the head of $0)"
    [[ $1 =~ ^[1-9][0-9]*$ ]] || die "SHARDS: got '$1', want a positive number"
    command -v sbatch >/dev/null || die "no sbatch here (Debian: slurm-client)"
    convsmith=$(command -v "${CONVSMITH:-convsmith}") || die "no program '${CONVSMITH:-convsmith}' (set CONVSMITH)"
    shards=$1 db=$(realpath -m "$2")
    shift 2
    mkdir -p "$db.shards"
    export CONVSMITH=$(realpath "$convsmith") CONVSMITH_DB=$db
    # A time needs the node to itself; every shard on a node of the same kind needs SBATCH_CONSTRAINT.
    array=$(CONVSMITH_SLURM_TASK=tune sbatch --parsable --job-name=convsmith-tune --exclusive --array="1-$shards" \
        --output="$db.shards/%a.log" "$0" "$@")
    # Joined whatever became of the tasks: what a failed one has recorded is worth as much.
    merge=$(CONVSMITH_SLURM_TASK=merge sbatch --parsable --job-name=convsmith-merge --dependency="afterany:$array" \
        --output="$db.shards/merge.log" "$0")
    echo "$shards shards: job $array; then joined into $db: job $merge"
    ;;
tune)
    exec "$CONVSMITH" tune "$@" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
        --db "$CONVSMITH_DB.shards/$SLURM_ARRAY_TASK_ID.jsonl"
    ;;
merge)
    shopt -s nullglob # a shard without problems has no file
    files=("$CONVSMITH_DB".shards/*.jsonl)
    [ ${#files[@]} -gt 0 ] || die "no shard has recorded anything; see $CONVSMITH_DB.shards/*.log"
    exec "$CONVSMITH" db merge "${files[@]}" --db "$CONVSMITH_DB"
    ;;
*) die "CONVSMITH_SLURM_TASK is '$task', want submit, tune or merge" ;;
esac
