#!/usr/bin/env bash
# Runs a program on an emulated machine with AVX-512 (Bochs, CPU model Skylake-X); setup.sh installs this file as `run`.
#   run PROGRAM INPUT OUTPUT [SECONDS]
# boots Linux with the static program PROGRAM, calls it there as `program input output`, and copies back what it wrote to
# `output`. Prints what the program printed; the exit code is the program's (128 + signal if one ended it), or 125 if
# the machine did not get that far within SECONDS of real time (default 900).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
share=$here/system/usr/share
program=$1 input=$2 output=$3 limit=${4:-900}
ips=10000000 # instructions of a second of the guest's clock; a host runs some 70 million in one of its own

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root/dev" "$work/root/proc" "$work/disk"
cp "$here/init" "$work/root/init"
cp "$program" "$work/root/program"
cat "$input" >"$work/root/input"
chmod 755 "$work/root/init" "$work/root/program"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/disk/root"
ln -s "$here/vmlinuz" "$work/disk/vmlinuz"
ln -s "$here"/system/usr/lib/{ISOLINUX/isolinux.bin,syslinux/modules/bios/ldlinux.c32} "$work/disk/"

# No devices are looked for that the machine does not have. Not noxsaves and the CPU bits (XSAVEC, FSRM, ERMS): Linux
# drops AVX if the size of its state surprises it, and would copy with `rep movsb`, which Bochs does byte by byte. The
# self-tests of the kernel's cryptography alone would take four fifths of the boot; delays count emulated cycles.
append="initrd=/root console=ttyS0 quiet nokaslr mitigations=off nosmp acpi=off pci=off lpj=10000"
append+=" tsc_early_khz=$((ips / 1000)) tsc=reliable no_timer_check nowatchdog noxsaves clearcpuid=321,580,297"
append+=" cryptomgr.notests random.trust_cpu=on initcall_blacklist=load_system_certificate_list,trace_eval_init"
append+=",init_kprobe_trace,cubictcp_register,init_ima,init_evm,crypto_kdf108_init,inet6_init"
printf 'default linux\nprompt 0\nlabel linux\n kernel /vmlinuz\n append %s\n' "$append" >"$work/disk/isolinux.cfg"
xorriso -as mkisofs -quiet -f -o "$work/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$work/disk" 2>"$work/log" || { cat "$work/log" >&2; exit 125; }

memory=$((256 + 3 * $(du -sm "$work/root" | cut -f 1)))
cat >"$work/bochsrc" <<END
display_library: term
config_interface: textconfig
romimage: file=$share/bochs/BIOS-bochs-latest
vgaromimage: file=$share/vgabios/vgabios.bin
cpu: model=corei7_skylake_x, count=1, ips=$ips, reset_on_triple_fault=0
memory: guest=$memory, host=$memory
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/console
parport1: enabled=1, file=$work/printed
clock: sync=none, time0=1700000000, rtc_sync=0
speaker: enabled=0
sound: driver=dummy
mouse: enabled=0
log: $work/bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
END
echo c >"$work/commands" # Debian's Bochs starts at the prompt of its debugger: continue

# Bochs with the C library that it was built for, and the correction of kshift.c; `term` wants a terminal.
libraries=$here/system/usr/lib/x86_64-linux-gnu
bochs="$libraries/ld-linux-x86-64.so.2 --preload $here/kshift.so --library-path $libraries"
bochs+=" $here/system/usr/bin/bochs-bin -q -f $work/bochsrc -rc $work/commands"
export LTDL_LIBRARY_PATH=$libraries/bochs/plugins BXSHARE=$share/bochs TERM=xterm
timeout "$limit" script -qec "$bochs" /dev/null </dev/null >"$work/screen" 2>&1 || true

[ -f "$work/printed" ] && cp "$work/printed" "$output" || : >"$output"
touch "$work/console"
tr -d '\r' <"$work/console" | sed -n '/^convsmith: program starts$/,/^convsmith: program ended/p' | sed '1d;$d' | head -c -1
code=$(tr -d '\r' <"$work/console" | sed -n 's/^convsmith: program ended \([0-9]*\)$/\1/p' | tail -n 1)
if [ -z "$code" ] || ! grep -q '^convsmith: output sent' "$work/console"; then
    echo "emulated machine: no complete run in $limit s; the ends of its console and of Bochs' log:"
    tail -n 5 "$work/console" "$work/bochs.log" 2>/dev/null | tr -d '\r'
    exit 125
fi
exit "$code"
