#!/bin/sh
# tools/docker-engine.sh COMMAND [ARGUMENT...]   runs a command where a Docker engine answers, and takes away what it started.
#
# An engine that answers already is used as it is. Otherwise, as root on Debian, one of Debian's is started for the
# command alone, on a socket and in a folder of its own: without rules for the firewall, so that it runs in containers
# and virtual machines too; builds then share the machine's network. Where debian:bookworm-slim cannot be pulled, it is
# made from Debian's packages, with this machine's sources of packages. Status 69: no engine could be had; with
# REPLICAST_ENGINE=optional that is said, and is no failure.
set -eu

none() {
  echo "NOT RUN, for want of a Docker engine: $wanted: $1" >&2
  [ "${REPLICAST_ENGINE:-}" = optional ] && exit 0
  exit 69
}

[ $# -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
wanted="$*"
export DOCKER_BUILDKIT="${DOCKER_BUILDKIT:-0}"
FROM=debian:bookworm-slim

install() {
  command -v apt-get >/dev/null || none "none answers, and this is not Debian; start one and set DOCKER_HOST"
  echo "installing: $*" >&2
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"; } >"$folder/apt.log" 2>&1 ||
    { tail -5 "$folder/apt.log" >&2; none "these could not be installed: $*"; }
}

start_engine() {
  [ "$(id -u)" = 0 ] || none "none answers, and only root may start one; start one and set DOCKER_HOST"
  command -v dockerd >/dev/null && command -v docker >/dev/null || install docker.io
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
  [ -n "$engine" ] || { tail -5 "$folder/log" >&2; none "Debian's does not start here"; }
  # Its bridge leads nowhere, so builds share the machine's network.
  docker=$(command -v docker)
  printf '#!/bin/sh\n[ "${1:-}" = build ] && { shift; set -- build --network=host "$@"; }\nexec %s "$@"\n' "$docker" >"$folder/bin/docker"
  chmod +x "$folder/bin/docker"
  PATH="$folder/bin:$PATH"; export PATH
}

make_base() {
  [ "$(id -u)" = 0 ] || none "$FROM cannot be pulled, and only root may make it"
  command -v debootstrap >/dev/null || install debootstrap
  echo "making $FROM from Debian's packages" >&2
  sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
    'Origin: Debian' | grep ' bookworm' | sort -u)
  mirror=$(echo "$sources" | sed -n 's/^deb \([^ ]*\) bookworm main$/\1/p' | head -1)
  [ -n "$mirror" ] || { mirror=http://deb.debian.org/debian; sources="deb $mirror bookworm main"; }
  debootstrap --variant=minbase bookworm "$folder/base" "$mirror" >"$folder/debootstrap.log" 2>&1 ||
    { tail -5 "$folder/debootstrap.log" >&2; none "$FROM can neither be pulled nor made"; }
  echo "$sources" >"$folder/base/etc/apt/sources.list"
  apt-config dump Acquire >"$folder/base/etc/apt/apt.conf.d/99-as-on-this-machine"
  for name in /etc/pip.conf /usr/local/share/ca-certificates; do
    [ ! -e "$name" ] || { mkdir -p "$folder/base${name%/*}"; cp -r "$name" "$folder/base${name%/*}/"; }
  done
  rm -rf "$folder/base/var/cache/apt/archives/"*.deb "$folder/base/var/lib/apt/lists/"*
  tar -C "$folder/base" -c . | docker import - "$FROM" >/dev/null
  rm -rf "$folder/base"
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
docker info >/dev/null 2>&1 || start_engine
docker image inspect "$FROM" >/dev/null 2>&1 || docker pull --quiet "$FROM" >/dev/null 2>&1 || make_base
"$@"
