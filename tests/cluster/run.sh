#!/usr/bin/env bash
# Starts a Slurm cluster of one node, this machine, runs a command that may use sbatch, waits until no job is left, and
# ends the cluster. All its files and ports are its own.
#   run.sh DIRECTORY COMMAND...
# Exit code: the command's; 77 with a reason if there is no Slurm here or it cannot start.
set -uo pipefail

skip() {
    echo "no cluster: $*"
    exit 77
}

PATH=$PATH:/usr/sbin
for program in munged slurmctld slurmd sbatch squeue sinfo; do
    command -v "$program" >/dev/null || skip "$program is not installed (Debian: slurm-wlm munge)"
done
dir=$(realpath "$1")
shift
mkdir -p "$dir/state" "$dir/spool"
user=$(id -un) host=$(hostname -s)
port=$((20000 + $$ % 20000 * 2))

cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MinJobAge=300
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/slurm.conf

daemons=()
stop() {
    [ ${#daemons[@]} = 0 ] || kill "${daemons[@]}" 2>/dev/null
    wait
}
trap stop EXIT
(umask 077 && head -c 64 /dev/urandom >"$dir/munge.key")
munged --foreground --force --socket="$dir/munge.socket" --key-file="$dir/munge.key" --pid-file="$dir/munge.pid" \
    --log-file="$dir/munge.log" --seed-file="$dir/munge.seed" >"$dir/munged.out" 2>&1 &
daemons+=($!)
for _ in $(seq 50); do
    [ -S "$dir/munge.socket" ] && break
    sleep 0.1
done
[ -S "$dir/munge.socket" ] || skip "munged does not start: $(tail -n 1 "$dir/munged.out")"
slurmctld -D -c >"$dir/slurmctld.out" 2>&1 &
daemons+=($!)
slurmd -D -c >"$dir/slurmd.out" 2>&1 &
daemons+=($!)
for _ in $(seq 150); do
    [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && break
    sleep 0.1
done
[ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] ||
    skip "the node is not ready: $(tail -n 1 "$dir/slurmctld.out") $(tail -n 1 "$dir/slurmd.out")"

"$@"
code=$?
for _ in $(seq 1200); do
    [ -z "$(squeue --noheader)" ] && break
    sleep 0.1
done
exit $code
