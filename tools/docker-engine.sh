#!/bin/sh
# tools/docker-engine.sh COMMAND [ARGUMENT...]   runs a command where a Docker engine answers, and takes away what it started.
#
# An engine that answers already is used as it is. Otherwise, as root on Debian, one of Debian's is started for the
# command alone, on a socket and in a folder of its own: without rules for the firewall, so that it runs in containers
# and virtual machines too; builds then share the machine's network. Where debian:trixie-slim cannot be pulled, it is
# made from Debian's packages, with this machine's sources of packages. Where no engine starts (REPLICAST_ENGINE=none: is
# to start), the command finds that Debian in the folder REPLICAST_IMAGE_BASE, to do the image's steps in it without one.
# Status 69: neither could be had; with REPLICAST_ENGINE=optional that is said, and is no failure.
set -eu

none() {
  echo "NOT RUN, for want of a Docker engine: $wanted: $1" >&2
  [ "${REPLICAST_ENGINE:-}" = optional ] && exit 0
  exit 69
}

[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
wanted="$*"
export DOCKER_BUILDKIT="${DOCKER_BUILDKIT:-0}"
FROM=debian:trixie-slim

install() {
  command -v apt-get >/dev/null || { why="this is not Debian"; return 1; }
  echo "installing: $*" >&2
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"; } >"$folder/apt.log" 2>&1 ||
    { tail -5 "$folder/apt.log" >&2; why="these could not be installed: $*"; return 1; }
}

start_engine() {
  [ "${REPLICAST_ENGINE:-}" != none ] || { why="none is to be started"; return 1; }
  [ "$(id -u)" = 0 ] || { why="none answers, and only root may start one; start one and set DOCKER_HOST"; return 1; }
  { command -v dockerd && command -v docker; } >/dev/null || install docker.io || return 1
  mkdir "$folder/data" "$folder/run" "$folder/bin"
  for driver in overlay2 vfs; do
    export DOCKER_HOST="unix://$folder/docker.sock"
    setsid dockerd --data-root "$folder/data" --exec-root "$folder/run" --pidfile "$folder/pid" --host "$DOCKER_HOST" \
      --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --storage-driver=$driver \
      </dev/null >"$folder/log" 2>&1 &
    engine=$!
    tries=0
    while kill -0 "$engine" 2>/dev/null && [ $tries -lt 300 ]; do
      docker version >/dev/null 2>&1 && break 2
      tries=$((tries + 1)); sleep 0.1
    done
    kill "$engine" 2>/dev/null || true; wait "$engine" 2>/dev/null || true; engine=
  done
  [ -n "$engine" ] || { tail -5 "$folder/log" >&2; why="Debian's does not start here"; return 1; }
  # Its bridge leads nowhere, so builds share the machine's network.
  docker=$(command -v docker)
  printf '#!/bin/sh\n[ "${1:-}" = build ] && { shift; set -- build --network=host "$@"; }\nexec %s "$@"\n' "$docker" >"$folder/bin/docker"
  chmod +x "$folder/bin/docker"
  PATH="$folder/bin:$PATH"; export PATH
}

make_base() {
  [ "$(id -u)" = 0 ] || none "$FROM cannot be had, and only root may make it"
  command -v debootstrap >/dev/null || install debootstrap || none "$why"
  echo "making $FROM from Debian's packages" >&2
  here=$(. /etc/os-release; echo "$VERSION_CODENAME")
  sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
    'Origin: Debian' | grep " $here" | sed "s/ $here/ trixie/" | sort -u)
  mirror=$(echo "$sources" | sed -n 's/^deb \([^ ]*\) trixie main$/\1/p' | head -1)
  debootstrap --variant=minbase trixie "$folder/base" $mirror >"$folder/debootstrap.log" 2>&1 ||
    { tail -5 "$folder/debootstrap.log" >&2; none "$FROM can neither be pulled nor made"; }
  [ -z "$mirror" ] || echo "$sources" >"$folder/base/etc/apt/sources.list"
  apt-config dump Acquire >"$folder/base/etc/apt/apt.conf.d/99-as-on-this-machine"
  for name in /etc/pip.conf /usr/local/share/ca-certificates; do
    [ ! -e "$name" ] || { mkdir -p "$folder/base${name%/*}"; cp -r "$name" "$folder/base${name%/*}/"; }
  done
  rm -rf "$folder/base/var/cache/apt/archives/"*.deb "$folder/base/var/lib/apt/lists/"*
}

import_base() {
  make_base
  tar -C "$folder/base" -c . | docker import - "$FROM" >/dev/null
  rm -rf "$folder/base"
}

# The image's steps in a Debian of its own, as far as that goes: what needs an engine is skipped.
go_without() {
  unshare --mount --pid --fork true 2>/dev/null || none "$why; and this machine gives no namespace of its own either"
  make_base
  echo "no Docker engine ($why): the image's root file system is made and run without one, and nothing is pushed" >&2
  export REPLICAST_IMAGE_BASE="$folder/base" REPLICAST_NO_SKIPS=1
}

engine=
folder=$(mktemp -d "${TMPDIR:-/tmp}/replicast-engine.XXXXXX")
finish() {
  status=$?
  trap - EXIT INT TERM
  if [ -n "$engine" ]; then
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    [ "$had_bridge" = yes ] || ip link delete docker0 2>/dev/null || true
    sed -n "s|^[^ ]* \\($folder/[^ ]*\\) .*|\\1|p" /proc/mounts | sort -r | while read -r mount; do umount "$mount"; done
  fi
  rm -rf "$folder"
  exit $status
}
trap finish EXIT INT TERM

had_bridge=no
[ ! -e /sys/class/net/docker0 ] || had_bridge=yes
why=
if { [ "${REPLICAST_ENGINE:-}" != none ] && docker info >/dev/null 2>&1; } || start_engine; then
  docker image inspect "$FROM" >/dev/null 2>&1 || docker pull --quiet "$FROM" >/dev/null 2>&1 || import_base
else
  go_without
fi
"$@"
