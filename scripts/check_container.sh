#!/usr/bin/env bash
# Builds the image and starts the service in it, without a Docker engine: buildah builds the
# Dockerfile on a Debian base of its own, then the image's command runs under what
# docker-compose.yml asks for (a user that is not root, a read-only root file system, no
# capabilities, no new privileges).
#
#   sudo scripts/check_container.sh [MODELS [PHOTO [CATEGORY]]]
#
# A bank of made-up photos is built inside the image and served. MODELS: a folder of banks to serve
# as well. PHOTO: is sent to /score/CATEGORY (default: the first one in MODELS). TORCH_INDEX_URL and PIP_OPTIONS in the
# environment become build arguments; pip's own configuration on this machine is used as well.
#
# Needs root, Debian or a relative, and room below TMPDIR (default /var/tmp): about four times the
# image's size, since the vfs driver copies every layer and, unlike overlay, works everywhere.
set -euo pipefail

readonly SUITE=bookworm # its python3 is 3.11
readonly STARTUP_SECONDS=180
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository

work=
service= # process id
port=0
failures=0

main() {
    local models=${1:-} photo=${2:-} category=${3:-}
    [[ $EUID -eq 0 ]] || die "run me as root: debootstrap and mounts need it"
    [[ -f $repository/constraints.txt ]] || die "constraints.txt is missing"
    [[ -z $models || -d $models ]] || die "no folder of banks at $models"
    [[ -z $photo || -f $photo ]] || die "no photo at $photo"
    models=${models:+$(realpath "$models")}

    install_tools
    work=$(mktemp -d "${TMPDIR:-/var/tmp}/goodsguard-container.XXXXXX")
    trap clean_up EXIT
    mkdir "$work/no-banks" "$work/banks" "$work/data" "$work/reports" "$work/records"

    step "base image"
    make_base
    step "the Dockerfile"
    build_image
    open_image
    step "the image"
    check_image
    step "start without banks"
    check_without_banks
    step "a bank built inside"
    check_build
    check_with_banks "$work/banks" "$work/data/noise/train/good/0.png" noise
    if [[ -n $models ]]; then
        step "start with $models"
        check_with_banks "$models" "$photo" "$category"
    fi

    echo
    ((failures == 0)) || die "$failures check(s) failed"
    echo "all checks passed"
}

# --- the image ---------------------------------------------------------------------------------

buildah_() {
    buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"
}

install_tools() {
    local tool missing=()
    for tool in buildah debootstrap curl; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]})) || return 0
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}"
}

make_base() {
    local container root
    container=$(buildah_ from scratch)
    root=$(buildah_ mount "$container")
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
        "$SUITE" "$root" >"$work/debootstrap.log" 2>&1 || {
        tail -n 20 "$work/debootstrap.log" >&2
        die "debootstrap failed"
    }
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    buildah_ commit --quiet --rm "$container" localhost/goodsguard-base >/dev/null
}

build_image() {
    local options=()
    read_pip_configuration
    # Docker's format, since OCI's has no HEALTHCHECK.
    if ! buildah_ build --isolation chroot --format docker --pull-never --layers=false \
        --build-arg BASE_IMAGE=localhost/goodsguard-base \
        --build-arg TORCH_INDEX_URL="${TORCH_INDEX_URL:-}" \
        --build-arg PIP_OPTIONS="${PIP_OPTIONS:-}" \
        "${options[@]}" --tag localhost/goodsguard "$repository" 2>&1 |
        tee "$work/build.log" | { grep -E '^(\[[0-9]+/[0-9]+\] )?STEP' || true; }; then
        tail -n 40 "$work/build.log" >&2
        die "the build failed"
    fi
}

# Sets the caller's `options` to the mounts that let pip work in the build as it does here: one
# pip.conf made of all of this machine's, and every certificate, folder or list of pins it names.
read_pip_configuration() {
    local line key value section option word path
    local -A value_of=() mounts=() rank=([global]=1 [install]=2 [:env:]=3) rank_of=()
    while IFS= read -r line; do
        key=${line%%=*} value=${line#*=}
        value=${value:1:-1}      # pip prints values quoted, …
        value=${value//\\n/ }    # … and lists with their line breaks
        section=${key%.*} option=${key##*.}
        option=${option#default-}
        case $option in
            index-url | extra-index-url | find-links | no-index | trusted-host | cert | \
                client-cert | proxy | constraint | timeout) ;;
            *) continue ;; # the others are about places to install to, and the like
        esac
        ((${rank[$section]:-0} >= ${rank_of[$option]:-1})) || continue
        rank_of[$option]=${rank[$section]}
        value_of[$option]=$value
    done < <(pip_config_list)

    # The pip of the image may know only its own certificates; this machine's may be needed.
    if [[ -z ${value_of[cert]:-} && -f /etc/ssl/certs/ca-certificates.crt ]]; then
        value_of[cert]=/etc/ssl/certs/ca-certificates.crt
    fi
    (umask 077 && echo "[global]" >"$work/pip.conf") # may hold an index's password
    for option in "${!value_of[@]}"; do
        echo "$option = ${value_of[$option]}" >>"$work/pip.conf"
        for word in ${value_of[$option]}; do
            path=${word#file://}
            [[ $path == /* && -e $path ]] || continue
            # An index's pages may link to files beside its folder.
            [[ $option != *index-url || $(dirname "$path") == / ]] || path=$(dirname "$path")
            mounts[$path]=1
        done
    done
    [[ ! -d /etc/ssl/certs ]] || mounts[/etc/ssl/certs]=1
    options=(--volume "$work/pip.conf:/etc/pip.conf:ro")
    for path in "${!mounts[@]}"; do
        options+=(--volume "$path:$path:ro")
    done
}

pip_config_list() {
    local pip
    for pip in "python3 -m pip" pip3 pip; do
        # shellcheck disable=SC2086 # a command and its arguments
        $pip config list 2>/dev/null && return
    done
    return 0 # no pip here: nothing to hand on
}

# --- running in it -----------------------------------------------------------------------------

container=
root=
user=
workdir=
environment=() command_=() health=()

open_image() {
    container=$(buildah_ from --pull-never localhost/goodsguard)
    root=$(buildah_ mount "$container")
    user=$(image_config '{{.Docker.Config.User}}')
    workdir=$(image_config '{{.Docker.Config.WorkingDir}}')
    mapfile -t environment < <(image_config '{{range .Docker.Config.Env}}{{println .}}{{end}}' | grep .)
    mapfile -t command_ < <(image_config '{{range .Docker.Config.Cmd}}{{println .}}{{end}}' | grep .)
    mapfile -t health < <(image_config '{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}' | grep .)
    echo "size: $(du -sh --apparent-size "$root" | cut -f1), user: $user, command: ${command_[*]}"
}

image_config() {
    buildah_ inspect --type image --format "$1" localhost/goodsguard
}

# Replaces this process by a command inside the image, under docker-compose.yml's restrictions:
#   enter MODELS ro|rw COMMAND…
# Its mounts live in a namespace of their own and vanish with it.
enter() {
    local models=$1 mode=$2
    shift 2
    exec unshare --mount --propagation private -- "${BASH_SOURCE[0]}" --inside \
        "$root" "$models" "$mode" "$work/data" "$work/reports" "$work/records" "$user" \
        env -i --chdir="$workdir" "${environment[@]}" \
        UVICORN_HOST=127.0.0.1 UVICORN_PORT="$port" "$@"
}

inside() {
    local root=$1 models=$2 mode=$3 data=$4 reports=$5 records=$6 user=$7 folder
    shift 7
    mount --bind "$root" "$root"
    for folder in dev proc sys; do
        mount --rbind "/$folder" "$root/$folder"
    done
    mount -t tmpfs -o mode=1777,size=256m tmpfs "$root/tmp"
    mount --bind "$models" "$root/models"
    mount -o "remount,bind,$mode" "$root/models"
    mount --bind "$data" "$root/data"
    mount -o remount,bind,ro "$root/data"
    mount --bind "$reports" "$root/reports"
    mount --bind "$records" "$root/records"
    mount -o remount,bind,ro "$root"
    exec chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups \
        --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
}

start_service() {
    local models=$1
    port=$(free_port)
    (enter "$models" ro "${command_[@]}") >"$work/service.log" 2>&1 &
    service=$!
    local deadline=$((SECONDS + STARTUP_SECONDS))
    until [[ $(status /livez) == 200 ]]; do
        kill -0 "$service" 2>/dev/null || die_with_log "the service stopped"
        ((SECONDS < deadline)) || die_with_log "no answer after $STARTUP_SECONDS s"
        sleep 0.5
    done
}

stop_service() {
    local code=0
    kill -TERM "$service"
    wait "$service" || code=$?
    service=
    # uvicorn ends its work, then dies of the signal that asked it to.
    check "SIGTERM stops it in order" grep -q "Finished server process\|Application shutdown complete" "$work/service.log"
    check "its exit code is 0 or SIGTERM's: $code" test "$code" -eq 0 -o "$code" -eq 143
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

status() {
    curl --noproxy '*' --silent --output /dev/null --max-time 10 --write-out '%{http_code}' \
        "http://127.0.0.1:$port$1" || true
}

health_check() {
    (enter "$work/no-banks" ro "${health[@]:1}") >/dev/null 2>&1
}

# --- what must hold ----------------------------------------------------------------------------

check_image() {
    check "the user is a number other than 0" grep -qE '^[1-9][0-9]*(:[0-9]+)?$' <<<"$user"
    check "buildah runs it as that user" test "$(run_plain id -u)" = "${user%:*}"
    check "the command runs without a shell" test "${command_[0]##*/}" = uvicorn
    check "there is a health check, without a shell" test "${health[0]:-}" = CMD
    # "end" tells nothing found from a command that did not run.
    check "no compiler" test "$(run_plain sh -c 'command -v cc gcc make; echo end')" = end
    check "no pip" test ! -e "$root/opt/venv/bin/pip"
    check "nothing of pip's cache" test ! -e "$root/root/.cache"
    # Without a read-only root, too, the service could not change its own code.
    check "the user cannot write to the code" test "$(run_plain sh -c \
        'find /srv /opt /etc /usr -writable -not -type l 2>/dev/null; echo end')" = end
    chown "$user" "$work/banks" "$work/data" "$work/reports" "$work/records"
    local writable
    writable=$( (enter "$work/no-banks" ro sh -c 'find / -xdev -writable -not -type l 2>/dev/null | sort | xargs') )
    check "writable are /records, /reports and /tmp alone: $writable" \
        test "$writable" = "/records /reports /tmp"
}

run_plain() {
    buildah_ run --isolation chroot "$container" -- "$@"
}

check_without_banks() {
    local began=$SECONDS
    start_service "$work/no-banks"
    echo "  up after $((SECONDS - began)) s"
    check_process
    check "/livez is 200" test "$(status /livez)" = 200
    check "/readyz is 503" test "$(status /readyz)" = 503
    check "the health check fails" not health_check
    stop_service
    check "the health check fails when nothing answers" not health_check
}

check_process() {
    local lines
    lines=$(<"/proc/$service/status")
    check "the process is not root" grep -qP "^Uid:(\t${user%:*}){4}$" <<<"$lines"
    check "it has no capabilities" grep -qP '^CapEff:\t0+$' <<<"$lines"
    check "it can gain no privileges" grep -qP '^NoNewPrivs:\t1$' <<<"$lines"
    check "its root is read-only" grep -qP '^\S+ \S+ \S+ \S+ / ro\b' "/proc/$service/mountinfo"
}

# As the compose file's service `build` does.
check_build() {
    buildah_ run --isolation chroot --volume "$work/data:/data" "$container" -- python -c '
from pathlib import Path
from PIL import Image
folder = Path("/data/noise/train/good")
folder.mkdir(parents=True)
for number in range(8):
    Image.effect_noise((96, 96), 40).convert("RGB").save(folder / f"{number}.png")
'
    check "goodsguard build builds" build_bank
    check "the scripts run, too" script_helps
}

build_bank() {
    (enter "$work/banks" rw goodsguard build --data /data --models /models \
        --preset embedded-knn) >"$work/service.log" 2>&1 || {
        tail -n 20 "$work/service.log"
        return 1
    }
}

script_helps() {
    (enter "$work/no-banks" ro python scripts/build_bank.py --help) >/dev/null
}

check_with_banks() {
    local models=$1 photo=$2 category=$3 answer
    start_service "$models"
    check "/readyz is 200" test "$(status /readyz)" = 200
    check "the health check passes" health_check
    if [[ -n $photo ]]; then
        category=${category:-$(cd "$models" && printf '%s\n' */current | head -n 1 | xargs dirname)}
        answer=$(curl --noproxy '*' --silent --show-error --max-time 60 --form "file=@$photo" \
            "http://127.0.0.1:$port/score/$category" || true)
        echo "  $answer"
        check "the photo gets a verdict" grep -q '"verdict":' <<<"$answer"
    fi
    stop_service
}

# --- telling -----------------------------------------------------------------------------------

step() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

not() { ! "$@"; }

check() {
    local what=$1
    shift
    if "$@"; then
        echo "  ok      $what"
    else
        echo "  FAILED  $what"
        failures=$((failures + 1))
    fi
}

die() {
    echo "error: $*" >&2
    exit 1
}

die_with_log() {
    tail -n 40 "$work/service.log" >&2
    die "$*"
}

clean_up() {
    [[ -z $service ]] || kill -KILL "$service" 2>/dev/null || true
    buildah_ rm --all >/dev/null 2>&1 || true
    buildah_ rmi --all --force >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
}

if [[ ${1:-} == --inside ]]; then
    inside "${@:2}"
else
    main "$@"
fi
