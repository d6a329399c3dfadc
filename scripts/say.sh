# shellcheck shell=sh
# Sourced by the other scripts: messages, and the tools that they need.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf '\033[1;31mfailed:\033[0m %s\n' "$*" >&2; exit 1; }

# apt_install WHAT-FOR PACKAGE...: installs as root, else says what is missing.
apt_install() {
    purpose=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $*: $purpose"
        apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >&2
    else
        say "$purpose is missing: as root, apt-get install $*"
        return 1
    fi
}

# Cargo links native code, build scripts included, with cc.
need_cc() {
    command -v cc >/dev/null || apt_install "a C compiler and linker" gcc libc6-dev || fail "no cc"
}

# Python may come without pip and without ensurepip: Debian packages them apart.
pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip "$@"
    elif .cache/pip/bin/python -m pip --version >/dev/null 2>&1 || python3 -m venv .cache/pip >/dev/null 2>&1; then
        .cache/pip/bin/python -m pip "$@"
    else
        apt_install "pip (to fetch Python packages)" python3-pip && python3 -m pip "$@"
    fi
}

# python_packages WHAT NAME REQUIREMENTS MODULES: prints the folder .cache/NAME, into which it fetches the packages once.
python_packages() {
    cached=.cache/$2

    # Compiled parts fit one Python only, so that after an upgrade they are fetched again.
    usable() {
        cmp -s "$1" "$cached/requirements.txt" && PYTHONPATH=$cached python3 -c "import $2" 2>/dev/null
    }

    if ! usable "$3" "$4"; then
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "Python 3.10 or newer is needed for $1"
        say "fetching $1 into .cache/"
        mkdir -p .cache
        unpacked=$(mktemp -d "$PWD/$cached.XXXXXX")
        trap 'rm -rf "$unpacked"' EXIT
        # Without what the packages ask for themselves: the file names all of it.
        PIP_ROOT_USER_ACTION=ignore pip install --quiet --no-deps --target "$unpacked" --requirement "$3" >&2 ||
            fail "pip could not fetch $1"
        cp "$3" "$unpacked/requirements.txt"
        # Renamed into place, so that an interrupted fetch is not used.
        rm -rf "$cached" && mv "$unpacked" "$cached"
        usable "$3" "$4" || fail "what was fetched does not run here: $1"
    fi
    echo "$PWD/$cached"
}

# tool NAME VERSION: cargo's subcommand NAME, as installed, or else this version, built once into .cache/.
tool() {
    PATH=$PATH:$PWD/.cache/tools/$1-$2/bin
    command -v "$1" >/dev/null && return
    need_cc
    say "building $1 $2 into .cache/tools, some two minutes, once"
    # It runs for seconds only: release optimizations would take longer than they save.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --root ".cache/tools/$1-$2" "$1@$2" || fail "no $1: cargo install $1@$2"
}
