#!/bin/sh
# Makes of a new machine what workers' machines start from: the programs, and nothing else of this machine or
# its grid. Powering off says that all went well; after a failure the machine stays on. Run once cloud-init has
# ended, which would otherwise write down again what is removed here.
set -eu

root=${RGRID_ROOT:-}
"$root/usr/local/lib/rgrid/boot"

rm -rf "$root/etc/rgrid" "$root/var/lib/rgrid" "$root"/opt/rgrid/*.part
rm -f "$root"/etc/ssh/ssh_host_* "$root/root/.ssh/authorized_keys" "$root/root/.bash_history"
# Its user data had the token; without its state the next machine is a new one to it.
cloud-init clean --logs
rm -rf "$root"/var/lib/cloud/* "$root"/run/cloud-init/*
# Empty: made anew at the next boot.
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
rm -rf "$root"/var/log/journal/*
rm -rf "$root/usr/local/lib/rgrid"
sync
exec systemctl poweroff
