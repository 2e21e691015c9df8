# Shared by ./up and ./test: Debian packages, uv, and the Python packages of the lock files. Quick when all is there.

# install_packages NAME…: install the Debian packages among NAME… that are missing.
install_packages() {
  local missing=() name
  for name in "$@"; do
    [[ "$(dpkg-query --show --showformat='${db:Status-Abbrev}' -- "$name" 2>/dev/null)" == ii* ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    needs_root "${missing[@]}"
    return
  fi
  echo "  Installing ${missing[*]} …" >&2
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get -qq -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends -- "${missing[@]}")
  "${install[@]}" >/dev/null 2>&1 || { apt-get -qq update >/dev/null && "${install[@]}" >/dev/null; }
}

# needs_root NAME…: without root only what is really unusable is a reason to stop.
needs_root() {
  local wanted
  for wanted in python3 git; do
    command -v "$wanted" >/dev/null && continue
    echo "Missing: $*. Install them as root, for example: sudo apt-get install $*" >&2
    exit 1
  done
}

# find_python: print the newest Python from 3.11 on.
find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  echo "Towline needs Python 3.11 or newer." >&2
  return 1
}

# find_uv: print a uv that works; installed into .tools when there is none.
find_uv() {
  if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    command -v uv
    return
  fi
  if [[ ! -x .tools/uv/bin/uv ]]; then
    echo "  Installing uv …" >&2
    "$(find_python)" -m venv .tools/uv >&2
    .tools/uv/bin/pip install --quiet --disable-pip-version-check uv >&2
  fi
  echo .tools/uv/bin/uv
}

# install_python_packages LOCK: bring .venv to exactly what the lock file says, and Towline itself from this folder.
install_python_packages() {
  local lock=$1 stamp
  stamp=$(sha256sum pyproject.toml "$lock" .ci/setup.sh | sha256sum)
  [[ -x .venv/bin/towline && "$(cat .venv/installed 2>/dev/null)" == "$stamp" ]] && return 0
  local uv
  uv=$(find_uv)
  echo "  Installing Python packages …" >&2
  [[ -x .venv/bin/python ]] || "$uv" venv --quiet --python "$(find_python)" .venv
  "$uv" pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes "$lock"
  "$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
  .venv/bin/python -m compileall -q src || true
  echo "$stamp" >.venv/installed
}
