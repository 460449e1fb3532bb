# What the scripts share: messages, packages, the build, the assembler. Sourced, not run.

set -euo pipefail
FLASH_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
FLASH_BUILD="${FLASH_BUILD:-$FLASH_ROOT/build}"
# Numbers have points and text is UTF-8, wherever this is run.
export LC_ALL=C.UTF-8
FLASH_JOBS="${FLASH_JOBS:-$(nproc)}"
FLASH_START=$SECONDS
FLASH_PACKAGES_BUILD=(libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22
  cmake ninja-build ccache libzstd-dev zlib1g-dev libgtest-dev)
FLASH_PACKAGES_TEST=(git clang-format-22 clang-tidy-22 libclang-rt-22-dev python3 python3-numpy xz-utils binutils)

step() { printf '\n== %s (%d:%02d)\n' "$*" $(((SECONDS - FLASH_START) / 60)) $(((SECONDS - FLASH_START) % 60)); }
say() { printf '   %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The files that are ours and match, whoever owns the checkout.
our_files() { git -c safe.directory="$FLASH_ROOT" -C "$FLASH_ROOT" ls-files --cached --others --exclude-standard "$@"; }

# need_disk <MB> <folder> <for what>
need_disk() {
  local free
  free=$(df -Pm "$2" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$1" ] || die "$3 needs $1 MB of disk, but $2 has only $free MB free."
}

# need_packages <package>...: installs those that are missing, with apt-get.
need_packages() {
  local missing=() package root=""
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    command -v clang++-22 >/dev/null && command -v ninja >/dev/null && command -v cmake >/dev/null && return
    die "This system has no apt-get, and the scripts install with it: install LLVM and MLIR 22.1, clang 22, lld 22, Ninja and CMake 3.25 yourself, as clang++-22, lld-22, ninja and cmake."
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "These packages are missing, and installing them needs root or sudo: apt-get install ${missing[*]}"
    root=sudo
  fi
  say "installing ${missing[*]}"
  need_disk 3500 /usr "Installing LLVM and MLIR 22.1"
  $root apt-get update -qq ||
    die "apt-get update failed (its messages are above): the network or the package sources are at fault."
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 ||
      die "No package $package here: Flash needs LLVM/MLIR 22.1 as in Debian 12 with its security updates (bookworm-security)."
  done
  # An interrupted download is tried again; nothing asks a question.
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 \
    -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null >/dev/null ||
    die "apt-get could not install ${missing[*]} (its messages are above)."
}

need_llvm() {
  local version
  version=$(llvm-config-22 --version 2>/dev/null || true)
  case "$version" in
  22.1*) ;;
  "") die "Flash needs LLVM/MLIR 22.1, and llvm-config-22 is not here: on Debian 12, apt-get install llvm-22-dev libmlir-22-dev." ;;
  *) die "Flash needs LLVM/MLIR 22.1, but llvm-config-22 is of LLVM $version." ;;
  esac
}

# need_build <preset> <ninja target>...: configures once, builds what changed.
need_build() {
  local preset=$1 folder
  shift
  case "$preset" in
  dev) folder="$FLASH_BUILD" ;;
  *) folder="$FLASH_ROOT/build-$preset" ;;
  esac
  # ccache, where there is one: the dev and portable builds share their objects.
  export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-pch_defines,time_macros,include_file_mtime,include_file_ctime}"
  export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$FLASH_ROOT}" CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1
  mkdir -p "$folder"
  # In a home that cannot be written to, ccache would make each compilation a failure.
  local cache="${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ccache}"
  mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || export CCACHE_DIR="$FLASH_BUILD/ccache"
  [ -f "$folder/build.ninja" ] || need_disk 1500 "$folder" "The $preset build"
  if [ ! -f "$folder/build.ninja" ] || [ "$FLASH_ROOT/CMakePresets.json" -nt "$folder/build.ninja" ]; then
    say "configuring the $preset build in ${folder#"$FLASH_ROOT"/}"
    (cd "$FLASH_ROOT" && cmake --preset "$preset" -B "$folder" --log-level=WARNING) >"$folder/configure.log" 2>&1 || {
      cat "$folder/configure.log" >&2
      die "CMake could not configure the $preset build; the reason is above."
    }
  fi
  ninja -C "$folder" -j "$FLASH_JOBS" "$@" || die "The $preset build failed; the compiler's message is above."
}

# Prints the path of a tool of the CUDA toolkit: the one that is named by a variable (FLASH_PTXAS), the toolkit's, or one from
# PyPI in the build tree's own venv.
PTXAS_PACKAGE="nvidia-cuda-nvcc==13.0.88"
NVDISASM_PACKAGE="nvidia-cuda-nvdisasm==13.5.37"
find_cuda_tool() { # tool, its path if given
  local candidate
  for candidate in "${2:-}" "$(command -v "$1" || true)" "/usr/local/cuda/bin/$1" "$FLASH_BUILD/venv/bin/$1"; do
    if [ -n "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}
find_ptxas() { find_cuda_tool ptxas "${FLASH_PTXAS:-}"; }
find_nvdisasm() { find_cuda_tool nvdisasm "${FLASH_NVDISASM:-}"; }

install_from_pypi() { # what is missing, pip's arguments
  need_packages python3-venv
  say "no $1 here: installing PyPI's ${*: -1} in ${FLASH_BUILD#"$FLASH_ROOT"/}/venv"
  mkdir -p "$FLASH_BUILD"
  shift
  python3 -m venv "$FLASH_BUILD/venv" && "$FLASH_BUILD/venv/bin/pip" install -q "$@" </dev/null
}

install_cuda_tool() { # tool, package
  install_from_pypi "$1" --no-deps "$2" || return 1
  ln -sf "$(find "$FLASH_BUILD/venv" -path "*/nvidia/*/bin/$1" | head -n 1)" "$FLASH_BUILD/venv/bin/$1"
}

need_nvdisasm() {
  find_nvdisasm >/dev/null || install_cuda_tool nvdisasm "$NVDISASM_PACKAGE"
}

need_ptxas() {
  find_ptxas >/dev/null || install_cuda_tool ptxas "$PTXAS_PACKAGE" || return 1
  FLASH_PTXAS=$(find_ptxas) || return 1
  export FLASH_PTXAS
  say "assembler: $("$FLASH_PTXAS" --version | sed -n 's/.*release.*V/ptxas /p')"
}

# Prints a Python that has matplotlib: the one that FLASH_PLOT_PYTHON names, the system's, or the build tree's own.
MATPLOTLIB_PACKAGE="matplotlib==3.11.2"
find_plot_python() {
  local candidate
  for candidate in "${FLASH_PLOT_PYTHON:-}" python3 "$FLASH_BUILD/venv/bin/python"; do
    if [ -n "$candidate" ] && "$candidate" -c "import matplotlib" >/dev/null 2>&1; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

need_plot_python() { find_plot_python >/dev/null || install_from_pypi matplotlib "$MATPLOTLIB_PACKAGE"; }
